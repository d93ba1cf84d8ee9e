import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { useShop } from '../support/shop.ts';

const operation = z.looseObject({
  parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })).default([]),
});
const openApi = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), operation)) });

const shop = useShop();
let described: z.infer<typeof openApi>;
beforeAll(async () => {
  described = openApi.parse(await (await shop.request('GET', '/openapi.json')).json());
});

test.each([
  ['get', '/v1/products', ['if-none-match']],
  ['get', '/v1/products/{sku}', ['if-none-match']],
  ['put', '/v1/products/{sku}', ['if-match', 'if-none-match']],
  ['get', '/v1/orders/{id}', ['prefer', 'if-none-match']],
  ['get', '/v1/orders/{id}/timeline', ['last-event-id']],
  ['get', '/v1/events', ['last-event-id']],
])('the OpenAPI operation %s %s documents the headers it reads', (method, path, headers) => {
  const { parameters = [] } = described.paths[path]?.[method] ?? {};
  const named = parameters.filter((each) => each.in === 'header').map(({ name }) => name);
  expect(named).toEqual(headers);
});
