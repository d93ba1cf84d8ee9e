/** What a request may be: codings, types, keys, methods, versions. */
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { orderBody } from '../../support/client.ts';
import { JSON_TYPE, type Row } from './row.ts';

const product = JSON.stringify({ name: 'A letter', price_minor: 100, currency: 'EUR' });
const order = JSON.stringify(orderBody());
const keyed = (...headers: string[]) => ['Idempotency-Key: "{uuid}"', ...headers];

export const REQUEST_ROWS: readonly Row[] = [
  // Content codings, media types and lengths of requests.
  ...['gzip', 'GZIP', 'deflate', 'br', 'identity, gzip'].map((coding) => ({
    rule: `RFC 9110 §15.5.16: a body with the content coding ${coding}`,
    ask: 'POST /v1/orders',
    sent: { headers: keyed(JSON_TYPE, `Content-Encoding: ${coding}`), body: gzipSync(order) },
    status: 415,
    code: 'unsupported_media_type',
    headers: { 'accept-encoding': 'identity' },
  })),
  {
    rule: 'RFC 9110 §8.4.1: a callback with the content coding gzip',
    ask: 'POST /callbacks/warehouse',
    sent: { headers: ['Content-Encoding: gzip'], body: gzipSync('{}') },
    status: 415,
    headers: { 'accept-encoding': 'identity' },
  },
  {
    rule: 'RFC 9110 §8.4: a content coding without a body',
    ask: 'GET /v1/orders',
    sent: { headers: ['Content-Encoding: gzip'] },
    status: 200,
  },
  ...['identity', 'Identity', ''].map((coding) => ({
    rule: `RFC 9110 §8.4: a body with the content coding "${coding}"`,
    ask: 'POST /v1/orders',
    sent: { headers: keyed(JSON_TYPE, `Content-Encoding: ${coding}`), body: order },
    status: 201,
  })),
  ...[
    'application/json',
    'APPLICATION/JSON',
    'application/json;charset=utf-8',
    'Application/Json ; Charset="UTF-8"',
    'application/json;',
    'application/vnd.shop+json; v=1',
  ].map((type) => ({
    rule: `RFC 9110 §8.3.1: a body of the type ${type}`,
    ask: 'PUT /v1/products/letter-types',
    sent: { headers: [`Content-Type: ${type}`], body: product },
    status: expect.toBeOneOf([200, 201]),
  })),
  ...['text/json', 'application/jsonp', 'application/json, text/plain', 'text/plain', 'json'].map(
    (type) => ({
      rule: `RFC 9110 §15.5.16: a body of the type ${type}`,
      ask: 'PUT /v1/products/letter-types',
      sent: { headers: [`Content-Type: ${type}`], body: product },
      status: 415,
      code: 'unsupported_media_type',
    }),
  ),
  {
    rule: 'RFC 9110 §8.3: a body without a type',
    ask: 'PUT /v1/products/letter-types',
    sent: { body: product },
    status: 415,
  },
  ...['PUT /v1/products/letter-types', 'PATCH /v1/webhook-endpoints/{endpoint}'].flatMap((ask) => [
    { rule: 'RFC 5789 §2.2: no body', ask, status: 400, code: 'malformed_json' },
    {
      rule: 'RFC 5789 §2.2: an empty body with a type',
      ask,
      sent: { headers: [JSON_TYPE], body: '' },
      status: 400,
      code: 'malformed_json',
    },
  ]),
  {
    rule: 'RFC 9110 §8.3: an optional body that is empty, with a type',
    ask: 'POST /v1/reconciliations',
    sent: { headers: keyed(JSON_TYPE), body: '' },
    status: 202,
  },
  {
    rule: 'RFC 9112 §7.1: a chunked body',
    ask: 'PUT /v1/products/letter-chunked',
    sent: {
      headers: [JSON_TYPE, 'Transfer-Encoding: chunked'],
      body: `${product.length.toString(16)}\r\n${product}\r\n0\r\n\r\n`,
    },
    status: 201,
  },
  {
    rule: 'RFC 9110 §15.5.14: a body over the limit',
    ask: 'PUT /v1/products/letter',
    sent: { headers: [JSON_TYPE], body: 'x'.repeat(70_000) },
    status: 413,
    code: 'payload_too_large',
  },
  {
    rule: 'RFC 9112 §6.3: two Content-Length fields that differ',
    ask: 'POST /readyz',
    sent: { headers: ['Content-Length: 1', 'Content-Length: 2'], body: 'xx' },
    status: 400,
  },
  {
    rule: 'RFC 9112 §6.1: Content-Length beside Transfer-Encoding',
    ask: 'POST /readyz',
    sent: { headers: ['Content-Length: 5', 'Transfer-Encoding: chunked'], body: '0\r\n\r\n' },
    status: 400,
  },
  {
    rule: 'RFC 9110 §10.1.1: an expectation other than 100-continue',
    ask: 'GET /livez',
    sent: { headers: ['Expect: a-miracle'] },
    status: 417,
  },

  // Idempotency-Key, a string of RFC 9651.
  ...keyRows([
    ['two fields', ['Idempotency-Key: {uuid}', 'Idempotency-Key: {uuid}']],
    ['two strings', ['Idempotency-Key: "{uuid}"', 'Idempotency-Key: "{uuid}"']],
    ['two keys in one field', ['Idempotency-Key: {uuid}, {uuid}']],
    ['an empty string', ['Idempotency-Key: ""']],
    ['an empty field', ['Idempotency-Key:']],
    ['an open string', ['Idempotency-Key: "{uuid}']],
    ['a string with parameters', ['Idempotency-Key: "{uuid}";a=1']],
    ['256 characters', [`Idempotency-Key: ${'x'.repeat(256)}`]],
    ['a character outside ASCII', ['Idempotency-Key: schl\u00fcssel']],
    ['no field', []],
  ]),
  ...['{uuid}', '"{uuid}"', '"{uuid}, {uuid}"', '"\\"{uuid}\\\\"'].map((key) => ({
    rule: `Idempotency-Key §2.1: the key ${key}`,
    ask: 'POST /v1/orders',
    sent: { headers: [JSON_TYPE, `Idempotency-Key: ${key}`], body: order },
    status: 201,
  })),

  // Methods.
  ...['/v1/orders', '/readyz', '/'].map((path) => ({
    rule: `RFC 9110 §9.3.7: OPTIONS of ${path}`,
    ask: `OPTIONS ${path}`,
    status: 204,
    headers: { allow: path === '/v1/orders' ? 'GET, HEAD, OPTIONS, POST' : 'GET, HEAD, OPTIONS' },
  })),
  {
    rule: 'RFC 9110 §9.3.7: OPTIONS of the server',
    ask: 'OPTIONS *',
    status: 204,
    headers: { allow: /GET/ },
  },
  { rule: 'RFC 9110 §9.3.7: OPTIONS of nothing', ask: 'OPTIONS /v1/nothing', status: 404 },
  ...['DELETE /v1/orders', 'QUERY /v1/orders', 'TRACE /v1/orders', 'PATCH /v1/orders'].map(
    (ask) => ({
      rule: 'RFC 9110 §15.5.6: a method that the resource lacks',
      ask,
      status: 405,
      headers: { allow: 'GET, HEAD, OPTIONS, POST' },
    }),
  ),
  {
    rule: 'RFC 9110 §9.3.8: TRACE with a content type',
    ask: 'TRACE /v1/orders',
    sent: { headers: [JSON_TYPE] },
    status: 405,
    headers: { allow: 'GET, HEAD, OPTIONS, POST' },
  },
  ...['/v1/orders/{order}', '/v1/events', '/v1/products/letter', '/readyz'].map((path) => ({
    rule: 'RFC 9110 §9.3.2: HEAD',
    ask: `HEAD ${path}`,
    status: 200,
    headers: { 'content-type': /^application\/json/ },
    says: /^$/,
  })),
  {
    rule: 'RFC 9110 §9.3.2: HEAD of a stream',
    ask: 'HEAD /v1/events',
    sent: { headers: ['Accept: text/event-stream'] },
    status: 200,
    headers: { 'content-type': /^application\/json/ },
  },

  // Health checks.
  ...['GET /readyz', 'HEAD /livez', 'OPTIONS /', 'GET /healthz'].flatMap((ask) =>
    [
      { rule: 'RFC 9112 §3.2: HTTP/1.0 without Host', ask, sent: { version: '1.0', bare: true } },
      {
        rule: 'RFC 9112 §3.2: HTTP/1.0',
        ask,
        sent: { version: '1.0', headers: ['Host: lb'], bare: true },
      },
    ].map((row) => ({
      ...row,
      sent: { ...row.sent, version: '1.0' as const },
      status: expect.toBeOneOf([200, 204]),
    })),
  ),
  {
    rule: 'RFC 9112 §3.2: HTTP/1.1 without Host',
    ask: 'GET /livez',
    sent: { bare: true },
    status: 400,
  },
  {
    rule: 'RFC 9112 §3.2.2: a target in absolute form',
    ask: 'GET http://elsewhere.example/livez',
    status: 200,
  },
];

function keyRows(refused: readonly (readonly [string, readonly string[]])[]): readonly Row[] {
  return refused.map(([what, headers]) => ({
    rule: `Idempotency-Key §2.1: ${what}`,
    ask: 'POST /v1/orders',
    sent: { headers: [JSON_TYPE, ...headers], body: order },
    status: 400,
    code: 'idempotency_key_required',
  }));
}
