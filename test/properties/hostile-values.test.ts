import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { idIn } from '../../api/http/respond.ts';
import { isStorable } from '../../domain/text.ts';
import { deadLetterFixture } from '../api/dead-letter-fixture.ts';
import {
  describedOperations,
  placesIn,
  replacedAt,
  type DescribedOperation,
} from './described-operations.ts';
import { listOf, orderOf, problemOf } from '../support/responses.ts';
import { useShop } from '../support/shop.ts';

/** Every parameter and every member of a body in the OpenAPI document, with values that break shops. */
const shop = useShop();
let operations: readonly DescribedOperation[];
/** An id that exists, by the path that has it: a handler is to be reached, not only its 404. */
const existing = new Map<string, string>();

beforeAll(async () => {
  operations = describedOperations(await (await shop.request('GET', '/openapi.json')).json());
  const order = await orderOf(await shop.place());
  const { orderId } = await shop.order();
  existing.set('/v1/orders/{id}', order.id);
  existing.set('/v1/products/{sku}', 'mug-white');
  existing.set('/v1/subscriptions/{name}', 'audit');
  existing.set('/v1/dead-letters/{id}', await deadLetterFixture(shop.db, orderId, {}));
  const url = 'http://127.0.0.1:9/hook';
  for (const [path, body] of [
    ['/v1/webhook-endpoints', { url }],
    ['/v1/reconciliations', {}],
  ] as const) {
    const created = await shop.request('POST', path, { role: 'admin', key: randomUUID(), body });
    existing.set(`${path}/{id}`, idIn(await created.text()));
  }
});
afterEach(() => shop.logged.splice(0));

/** NUL, half surrogates, blanks, bidi, times, numbers and cursors at and beyond the edges of types. */
const HOSTILE: readonly unknown[] = [
  '\0',
  'a\0b',
  '\ud800',
  'x\udc00y',
  '\u200b',
  '   ',
  '\u202e\u2066',
  '\u2028',
  '\u0085\x7f\x1b[2J',
  '\ufffe\uffff',
  '💥'.repeat(100),
  'é'.repeat(3_000),
  '',
  '0',
  '-1',
  '1e999',
  'NaN',
  '0x10',
  '2147483648',
  '9223372036854775808',
  '99999999999999999999-99999999999999999999',
  '18446744073709551615-9223372036854775807',
  'ord_7zzzzzzzzzzzzzzzzzzzzzzzzz',
  'ord_8zzzzzzzzzzzzzzzzzzzzzzzzz',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '2000-01-01T00:00:00+20:02',
  '2000-02-30T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+23:59',
  '9999-12-31T23:59:59-23:59',
  '2000-01-01T23:59:60Z',
  "'; DROP TABLE orders; --",
  '%',
  '%00',
  '../../etc/passwd',
  '{"$ne":null}',
  '__proto__',
  'W/"v1", "v99999999999999999999"',
  'wait=99999999999999999999',
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  1e308,
  true,
  null,
  [],
  [null],
  {},
  { '\0': '\0' },
];
/** Written out, because `encodeURIComponent` refuses halves of surrogate pairs. */
const RAW = ['%00', '%', '%ff', '%C0%80', '%ED%A0%80', '%2500', '%E2%80%8B', '+', '%0d%0a'];

interface Place {
  readonly operation: DescribedOperation;
  readonly in: 'path' | 'query' | 'header' | 'body';
  readonly at: readonly string[];
}

function places(): Place[] {
  return operations.flatMap((operation) => [
    ...operation.parameters.map(({ name, in: where }) => ({ operation, in: where, at: [name] })),
    ...(operation.body === undefined
      ? []
      : placesIn(operation.body).map((at) => ({ operation, in: 'body' as const, at }))),
  ]);
}

/** Null when it cannot be sent: `fetch` itself refuses such a header. */
async function send({ operation, in: where, at }: Place, value: unknown): Promise<Response | null> {
  const [name = ''] = at;
  const encoded = RAW.find((each) => each === value) ?? encodedOf(value);
  const own = [...existing].find(([path]) => operation.path.startsWith(path));
  const path = operation.path
    .replace(`{${name}}`, where === 'path' ? encoded || '%20' : `{${name}}`)
    .replace(/\{\w+\}/, own?.[1] ?? 'none');
  const query = where === 'query' ? `?${name}=${encoded}` : '';
  const header = where === 'header' ? { [name]: textOf(value) } : {};
  if (where === 'header' && !isHeader(textOf(value))) return null;
  const { method, body } = operation;
  return shop.request(method, path + query, {
    role: 'admin',
    headers: { 'idempotency-key': randomUUID(), ...header },
    ...(body !== undefined && { body: where === 'body' ? replacedAt(body, at, value) : body }),
  });
}

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);

const encodedOf = (value: unknown): string =>
  encodeURIComponent(textOf(value).replaceAll(/[\ud800-\udfff]/gu, '\ufffd'));

function isHeader(value: string): boolean {
  try {
    return new Headers({ value }).has('value');
  } catch {
    return false;
  }
}

/** A 500, or something taken that PostgreSQL cannot keep, in words; null when all is well. */
async function faultOf(place: Place, value: unknown): Promise<string | null> {
  const response = await send(place, value);
  if (response === null) return null;
  const { operation, in: where, at } = place;
  const what = `${operation.method} ${operation.path}, ${where} ${at.join('/')} = ${JSON.stringify(value)}`;
  if (response.status === 500) return `500: ${what}`;
  if (response.status >= 400) {
    await problemOf(response);
    return null;
  }
  await response.body?.cancel();
  const isRead = where === 'body' || ((where === 'query' || where === 'path') && value === '\0');
  const isTaken = isRead && typeof value === 'string' && !isStorable(value);
  return isTaken ? `taken: ${what}` : null;
}

test('the document leads to every operation with parameters or a body, and its own examples are understood', async () => {
  expect(places().length).toBeGreaterThan(100);
  for (const operation of operations.filter(({ body }) => body !== undefined)) {
    const response = await send({ operation, in: 'body', at: ['no such member'] }, 'x');
    expect(response?.status, `${operation.method} ${operation.path}`).not.toBe(400);
  }
});

test('no parameter and no member of a body is a 500 with a hostile value', async () => {
  for (const place of places()) {
    for (const value of place.in === 'path' || place.in === 'query'
      ? [...HOSTILE, ...RAW]
      : HOSTILE) {
      expect(await faultOf(place, value)).toBeNull();
    }
  }
  expect(shop.logged.filter((line) => line.includes('refused a value'))).toEqual([]);
});

test('no parameter and no member of a body is a 500 with a generated value', async () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\0', '\ud800', '\u200b', '\n', 'a', '1', '-', '%') }),
    fc.double(),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.jsonValue(),
  );
  const place = fc.nat({ max: places().length - 1 });
  const property = fc.asyncProperty(place, value, async (index, each) => {
    const at = places()[index];
    return at === undefined || (await faultOf(at, each)) === null;
  });
  await expect(fc.assert(property, { numRuns: 500 })).resolves.toBeUndefined();
});

describe('bodies', () => {
  const bytes = (text: string, encoding: BufferEncoding) => Buffer.from(text, encoding);
  test.each([
    ['bytes that are no UTF-8', bytes('{"reason":"\xff"}', 'latin1')],
    ['UTF-16', bytes('{"reason":"x"}', 'utf16le')],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['an overlong NUL', Buffer.from([0x22, 0xc0, 0x80, 0x22])],
    ['NUL itself', bytes('\0', 'latin1')],
    ['30,000 open brackets', bytes('['.repeat(30_000), 'latin1')],
    ['arrays 30,000 deep', bytes('['.repeat(30_000) + ']'.repeat(30_000), 'latin1')],
    ['NUL 10,000 deep', bytes(`${'['.repeat(10_000)}"\\u0000"${']'.repeat(10_000)}`, 'latin1')],
    ['a number beyond doubles', bytes('{"delta":1e999,"reason":"x"}', 'latin1')],
    ['a member called __proto__', bytes('{"__proto__":{"reason":"x"}}', 'latin1')],
  ])('a body with %s is refused by every call that takes one', async (_, body) => {
    for (const { method, path, body: example } of operations) {
      if (example === undefined) continue;
      const [, id = 'none'] = [...existing].find(([each]) => path.startsWith(each)) ?? [];
      const response = await shop.request(method, path.replace(/\{\w+\}/, id), {
        role: 'admin',
        key: randomUUID(),
        body,
      });
      expect([400, 422], `${method} ${path}`).toContain(response.status);
      await problemOf(response);
    }
  });

  test('a list filtered by what nothing can be called is refused or empty, never a 500', async () => {
    for (const query of ['subject=%E2%80%8B', 'order_id=ord_%F0%9F%92%A5', 'fingerprint=%25']) {
      const response = await shop.request('GET', `/v1/dead-letters?${query}`, { role: 'operator' });
      if (response.status === 200) expect((await listOf(response)).data).toEqual([]);
      else expect(response.status).toBe(422);
    }
  });
});
