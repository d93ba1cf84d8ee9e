import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { ROLES } from '../../prisma/access/api-keys.ts';
import { read } from '../support/documents.ts';
import { commandsIn, DOCUMENTS, fencesOf, proseOf } from '../support/markdown.ts';
import { problemOf } from '../support/responses.ts';
import { useShop } from '../support/shop.ts';

const exampled = z.looseObject({
  example: z.unknown().optional(),
  $ref: z.string().optional(),
});
const operation = z.looseObject({
  parameters: z
    .array(
      z.looseObject({
        name: z.string(),
        in: z.string(),
        example: z.unknown().optional(),
        schema: exampled.optional(),
      }),
    )
    .default([]),
  requestBody: z
    .object({ content: z.record(z.string(), z.object({ schema: exampled })) })
    .optional(),
  responses: z.record(z.string(), z.unknown()),
});
const openApi = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

const shop = useShop();
let described: z.infer<typeof openApi>;
beforeAll(async () => {
  described = openApi.parse(await (await shop.request('GET', '/openapi.json')).json());
});

test.each([
  ['get', '/v1/products', ['if-none-match']],
  ['get', '/v1/products/{sku}', ['if-none-match']],
  ['put', '/v1/products/{sku}', ['if-match', 'if-none-match']],
  ['patch', '/v1/products/{sku}', ['if-match', 'if-none-match']],
  ['get', '/v1/customers/{id}', ['if-none-match']],
  ['patch', '/v1/customers/{id}', ['if-match', 'if-none-match']],
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

test('every operation of the OpenAPI document refuses a query parameter that it does not name', async () => {
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, { parameters }] of Object.entries(methods)) {
      const url = path.replaceAll(/\{[^}]+\}/g, 'x');
      const request = { role: 'admin', key: crypto.randomUUID() } as const;
      const response = await shop.request(method.toUpperCase(), `${url}?emial=x`, request);
      const problem = await problemOf(response);
      expect(problem, `${method} ${path}`).toMatchObject({ code: 'unknown_parameter' });
      for (const each of parameters.filter((parameter) => parameter.in === 'query')) {
        expect(problem.detail, `${method} ${path}`).toContain(each.name);
      }
    }
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

test('the OpenAPI document has the version of the package', () => {
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(read('package.json')));
  expect(described['info']).toMatchObject({ version });
});

test('every operation of the OpenAPI document works with its examples as they are', async () => {
  const answers: string[] = [];
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, each] of Object.entries(methods)) {
      const { target, headers, body } = exampleOf(path, each);
      const options = { role: 'admin', headers, ...(body !== undefined && { body }) } as const;
      const response = await shop.request(method.toUpperCase(), target, options);
      await response.body?.cancel();
      answers.push(`${method} ${path} ${response.status}`);
    }
  }
  // What an example names may not exist, such as an order, and the schedules are in Temporal, which is
  // not there; nothing is wrong with the request.
  const asItShould = / 2\d\d$| 404$| \/v1\/schedules\S* 503$/;
  expect(answers.filter((line) => !asItShould.test(line))).toEqual([]);
  expect(answers).toEqual(
    expect.arrayContaining([
      'post /v1/orders 201',
      'put /v1/products/{sku} 201',
      'post /v1/products/{sku}/stock 200',
      'post /v1/webhook-endpoints 201',
    ]),
  );
});

test('every call that a document names is an operation of the OpenAPI document', () => {
  const calls = [...callsInText(), ...callsInCommands()];
  expect(calls.length).toBeGreaterThan(60);
  const unknown = calls.filter(({ method, path }) => {
    const known = Object.keys(described.paths).filter((each) =>
      new RegExp(`^${each.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
    );
    return !known.some((each) => described.paths[each]?.[method] !== undefined);
  });
  expect(unknown).toEqual([]);
});

/** A row of docs/stripe.md that begins with a method of Stripe's package: its calls are Stripe's. */
const CALLS_OF_STRIPE = /^\| `\w+\.[\w.]+` .*$/gm;

/** `GET /v1/orders/{id}` and the like in the text. */
function callsInText(): readonly Call[] {
  return DOCUMENTS.flatMap((document) =>
    [
      ...proseOf(document)
        .replaceAll(CALLS_OF_STRIPE, '')
        .matchAll(/\b(GET|POST|PUT|PATCH|DELETE) (\/v1\/[\w/{}.-]*)/g),
    ].map(([, method = '', path = '']) => ({ document, method: method.toLowerCase(), path })),
  );
}

/** The calls of `curl` in shell blocks. */
function callsInCommands(): readonly Call[] {
  return fencesOf('sh').flatMap(({ document, text }) =>
    commandsIn(text).flatMap((command) =>
      [...command.matchAll(/curl [^|;]*?(\/v1\/[^\s"'?]*)[^|;]*/g)].map(([whole, path = '']) => {
        const [, given] = / -X (\w+)/.exec(whole) ?? [];
        const method = (given ?? (/ -d /.test(command) ? 'post' : 'get')).toLowerCase();
        return { document, method, path: path.replaceAll(/\$\w+/g, 'x') };
      }),
    ),
  );
}

interface Call {
  readonly document: string;
  readonly method: string;
  readonly path: string;
}

/** The request as the reference fills it in: every example, and nothing else. */
function exampleOf(path: string, { parameters, requestBody }: z.infer<typeof operation>) {
  const at = (place: string): readonly (readonly [string, string])[] =>
    parameters
      .filter((each) => each.in === place)
      .flatMap(({ name, example, schema }) => {
        const value = example ?? schema?.example;
        return value === undefined ? [] : [[name, z.coerce.string().parse(value)] as const];
      });
  const target = at('path').reduce(
    (filled, [name, value]) => filled.replace(`{${name}}`, encodeURIComponent(value)),
    path,
  );
  expect(target, 'a parameter of the path has no example').not.toContain('{');
  const query = new URLSearchParams(Object.fromEntries(at('query'))).toString();
  const [type = '', content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const schema = content?.schema;
  const body = schema?.$ref === undefined ? schema?.example : componentOf(schema.$ref).example;
  if (requestBody !== undefined) expect(body, `${path} has no example`).toBeDefined();
  const headers = {
    ...Object.fromEntries(at('header')),
    ...(type !== '' && { 'content-type': type }),
  };
  return { target: `${target}?${query}`, headers, body };
}

function componentOf(reference: string): z.infer<typeof exampled> {
  return exampled.parse(described.components.schemas[reference.split('/').at(-1) ?? '']);
}

function schemasWith(value: unknown, key: string): readonly Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  const record: Record<string, unknown> = { ...value };
  const inner = Object.values(record).flatMap((each) => schemasWith(each, key));
  return typeof record[key] === 'string' ? [record, ...inner] : inner;
}
