import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { ROLES } from '../../prisma/access/api-keys.ts';
import { useShop } from '../support/shop.ts';

const operation = z.looseObject({
  parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })).default([]),
  responses: z.record(z.string(), z.unknown()),
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

test('every operation of the OpenAPI document has an id of its own, a role and its problems', () => {
  const operations = Object.values(described.paths).flatMap((methods) => Object.values(methods));
  expect(operations.length).toBeGreaterThan(30);
  const ids = operations.map((each) => each['operationId']);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { operationId, responses, ...each } of operations) {
    expect(ROLES, String(operationId)).toContain(each['x-role']);
    expect(Object.keys(responses), String(operationId)).toEqual(
      expect.arrayContaining(['400', '401', '422', '500', '503']),
    );
    expect(responses, String(operationId)).not.toHaveProperty('default');
  }
});

test('every pattern of the OpenAPI document is an expression without flags that its example matches', () => {
  const patterned = schemasWith(described, 'pattern');
  expect(patterned.length).toBeGreaterThan(10);
  for (const { pattern, example } of patterned) {
    // Validators use it with and without the flag.
    for (const flags of ['', 'u']) {
      const expression = new RegExp(String(pattern), flags);
      expect(expression.source).toMatch(/^\^.*\$$/s);
      if (typeof example === 'string') expect(example).toMatch(expression);
    }
  }
});

function schemasWith(value: unknown, key: string): readonly Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  const record: Record<string, unknown> = { ...value };
  const inner = Object.values(record).flatMap((each) => schemasWith(each, key));
  return typeof record[key] === 'string' ? [record, ...inner] : inner;
}
