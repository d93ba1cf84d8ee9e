/** What is answered: preconditions, negotiation, caches, query parameters, places in lists. */
import { orderBody } from '../../support/client.ts';
import { JSON_TYPE, type Row } from './row.ts';

const EVENT_STREAM = /^text\/event-stream/;
const product = JSON.stringify({ name: 'A letter', price_minor: 100, currency: 'EUR' });
const put = (...headers: string[]) => ({ headers: [JSON_TYPE, ...headers], body: product });

export const READ_ROWS: readonly Row[] = [
  // Preconditions of reads.
  ...[
    ['If-None-Match: {tag}', 304],
    ['If-None-Match: W/{tag}', 304],
    ['If-None-Match: "a,b", {tag}', 304],
    ['If-None-Match: "a, {tag}', 200],
    ['If-None-Match: *', 304],
    ['If-None-Match: "other"', 200],
    ['If-None-Match: other', 200],
    ['If-Match: {tag}', 200],
    ['If-Match: "other", {tag}', 200],
    ['If-Match: *', 200],
    ['If-Match: W/{tag}', 412],
    ['If-Match: "other"', 412],
    ['If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT', 200],
    ['Range: bytes=0-1', 200],
  ].flatMap(([field, status]) =>
    ['GET', 'HEAD'].map((method) => ({
      rule: `RFC 9110 §13.1: ${String(field)}`,
      ask: `${method} /v1/orders/{order}`,
      sent: { headers: [String(field)] },
      status: Number(status),
      headers:
        status === 412
          ? { etag: null, 'cache-control': 'no-store' }
          : { etag: /^"[\w-]{22}"$/, 'cache-control': 'private, no-cache', vary: 'Authorization' },
      ...(status === 304 && { says: /^$/ }),
    })),
  ),
  {
    rule: 'RFC 9110 §13.2.2: If-Match before If-None-Match',
    ask: 'GET /v1/orders/{order}',
    sent: { headers: ['If-None-Match: {tag}', 'If-Match: "other"'] },
    status: 412,
  },
  {
    rule: 'RFC 9110 §13.2.1: a precondition of a resource that does not exist',
    ask: 'GET /v1/products/letter-none',
    sent: { headers: ['If-Match: "v1"'] },
    status: 404,
  },

  // Preconditions of reads that have no entity tag.
  ...[
    ['If-Match: *', 200],
    ['If-Match: "v1"', 412],
    ['If-None-Match: "v1"', 200],
    ['If-None-Match: *', 304],
  ].flatMap(([field, status]) =>
    ['GET', 'HEAD'].map((method) => ({
      rule: `RFC 9110 §13.1: ${String(field)} where there is no entity tag`,
      ask: `${method} /v1/events?limit=1`,
      sent: { headers: [String(field)] },
      status: Number(status),
      headers: { etag: null, 'cache-control': 'no-store' },
    })),
  ),

  {
    rule: 'RFC 9110 §13.2.1: a precondition of a resource that has no entity tag and does not exist',
    ask: 'GET /v1/orders/ord_none/timeline',
    sent: { headers: ['If-None-Match: *'] },
    status: 404,
  },

  // Preconditions of writes.
  {
    rule: 'RFC 9110 §13.1.2: If-None-Match: * creates',
    ask: 'PUT /v1/products/letter-new',
    sent: put('If-None-Match: *'),
    status: 201,
    headers: { etag: '"v1"' },
  },
  {
    rule: 'RFC 9110 §13.1.2: If-None-Match: * does not replace',
    ask: 'PUT /v1/products/letter-new',
    sent: put('If-None-Match: *'),
    status: 412,
  },
  {
    rule: 'RFC 9110 §13.1.1: If-Match: * does not create',
    ask: 'PUT /v1/products/letter-never',
    sent: put('If-Match: *'),
    status: 412,
  },
  ...['If-Match: W/"v1"', 'If-Match: "v2"', 'If-None-Match: W/"v1"', 'If-Match: v1'].map(
    (field) => ({
      rule: `RFC 9110 §13.1: ${field} on version 1`,
      ask: 'PUT /v1/products/letter-new',
      sent: put(field),
      status: 412,
      code: 'precondition_failed',
    }),
  ),
  {
    rule: 'RFC 9110 §13.1.1: a list with the current tag',
    ask: 'PUT /v1/products/letter-new',
    sent: put('If-Match: "v9", "v1"'),
    status: 200,
    headers: { etag: '"v2"' },
  },
  ...['If-None-Match: *', 'If-None-Match: "v2"', 'If-Match: "v1"'].map((field) => ({
    rule: `RFC 9110 §13.1: ${field} of a change to version 2`,
    ask: 'PATCH /v1/products/letter-new',
    sent: { headers: [field, JSON_TYPE], body: '{"archived":true}' },
    status: 412,
    code: 'precondition_failed',
  })),
  {
    rule: 'RFC 9110 §13.1.2: If-None-Match: * does not change a customer',
    ask: 'PATCH /v1/customers/{customer}',
    sent: { headers: ['If-None-Match: *', JSON_TYPE], body: '{"name":"Ada"}' },
    status: 412,
    code: 'precondition_failed',
  },
  ...['If-Match: "v1"', 'If-None-Match: *'].flatMap((field) =>
    ['PATCH', 'DELETE'].map((method) => ({
      rule: `RFC 9110 §13.1: ${field} where there are no entity tags`,
      ask: `${method} /v1/webhook-endpoints/{endpoint}`,
      sent: { headers: [field, JSON_TYPE], body: '{}' },
      status: 412,
    })),
  ),
  {
    rule: 'RFC 9110 §13.1.1: If-Match: * where there are no entity tags',
    ask: 'PATCH /v1/webhook-endpoints/{endpoint}',
    sent: { headers: ['If-Match: *', JSON_TYPE], body: '{"types":[]}' },
    status: 200,
  },

  // Accept, Prefer, Vary, and caches.
  ...[
    ['text/event-stream', EVENT_STREAM],
    ['text/event-stream;q=0.5, application/json', /json/],
    ['application/json;q=0.2, text/event-stream;q=0.3', EVENT_STREAM],
    ['*/*', /json/],
    ['text/event-stream;q=0, */*', /json/],
    ['text/html', /json/],
  ].map(([accept, type]) => ({
    rule: `RFC 9110 §12.5.1: Accept: ${String(accept)}`,
    ask: 'GET /v1/events?limit=1',
    sent: { headers: [`Accept: ${String(accept)}`] },
    status: 200,
    headers: { 'content-type': type ?? '', 'cache-control': 'no-store' },
  })),
  {
    rule: 'RFC 7240 §2: the first of two equal preferences',
    ask: 'GET /v1/orders/{order}',
    sent: { headers: ['Prefer: wait=0', 'Prefer: wait=30'] },
    status: 200,
    headers: { 'preference-applied': 'wait=0' },
  },
  ...['/v1/webhook-endpoints', '/v1/products/letter/stock', '/v1/dead-letters'].map((path) => ({
    rule: 'RFC 9111 §5.2.2.5: no cache stores what may change at once',
    ask: `GET ${path}`,
    status: 200,
    headers: { 'cache-control': 'no-store' },
  })),
  {
    rule: 'RFC 9110 §11.6.1: 401 names the scheme',
    ask: 'GET /v1/orders',
    sent: {
      headers: ['Host: x', 'Authorization: Bearer a', 'Authorization: Bearer b'],
      bare: true,
    },
    status: 401,
    headers: { 'www-authenticate': /^Bearer realm=/ },
  },

  // Query parameters and places in lists.
  {
    rule: 'an unknown query parameter',
    ask: 'GET /v1/orders?limit=1&sort=asc',
    status: 400,
    code: 'unknown_parameter',
    says: /Query parameters of this call: limit, starting_after, q, status, .*\./,
  },
  {
    rule: 'an unknown query parameter of a call that has none',
    ask: 'POST /v1/orders?dry_run=true',
    sent: { headers: [JSON_TYPE, 'Idempotency-Key: {uuid}'], body: JSON.stringify(orderBody()) },
    status: 400,
    says: /Query parameters of this call: none\./,
  },
  ...['limit=1&limit=2', 'limit=', 'limit=0x10', 'limit=1e1', 'limit=%201', 'limit=1.0'].map(
    (query) => ({
      rule: `the query ${query}`,
      ask: `GET /v1/products?${query}`,
      status: 422,
      code: 'invalid_request',
      says: /"parameter":"limit"/,
    }),
  ),
  ...[
    'orders',
    'dead-letters',
    'reconciliations',
    'webhook-endpoints',
    'webhook-endpoints/{endpoint}/deliveries',
    'products',
  ].map((list) => ({
    rule: `starting_after of the list ${list} is no id of its items`,
    ask: `GET /v1/${list}?starting_after=~nothing`,
    status: 422,
    says: /"parameter":"starting_after"/,
  })),
  ...['after=x', 'after=0-', 'after=-1', 'after=1-2-3'].map((query) => ({
    rule: `a place that is not in the log: ${query}`,
    ask: `GET /v1/events?${query}`,
    status: 422,
    says: /"parameter":"after"/,
  })),
  {
    rule: 'a place beyond the end of the log',
    ask: 'GET /v1/events?after=9223372036854775807-0',
    status: 404,
    code: 'event_not_found',
    says: /"parameter":"after"/,
  },
  {
    rule: 'a Last-Event-ID beyond the end of the log',
    ask: 'GET /v1/events',
    sent: { headers: ['Accept: text/event-stream', 'Last-Event-ID: 9223372036854775807-0'] },
    status: 404,
    says: /"header":"last-event-id"/,
  },
  {
    rule: 'a place beyond the end of a timeline',
    ask: 'GET /v1/orders/{order}/timeline?after=3',
    status: 404,
    says: /"parameter":"after"/,
  },
  {
    rule: 'the last place of a timeline',
    ask: 'GET /v1/orders/{order}/timeline?after=2',
    status: 200,
  },
];
