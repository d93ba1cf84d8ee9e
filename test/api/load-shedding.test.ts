import { expect, test } from 'vitest';
import { requestClassOf } from '../../api/limits/request-class.ts';

test.each([
  ['POST /v1/orders', 'checkout'],
  ['POST /v1/orders/ord_1/cancel', 'slow'],
  ['POST /v1/dead-letters/dl_1/redrive', 'slow'],
  ['POST /v1/dead-letters/redrive', 'slow'],
  ['POST /v1/dead-letters/discard', 'slow'],
  ['POST /v1/webhook-endpoints', 'slow'],
  ['POST /v1/webhook-endpoints/we_1/test', 'slow'],
  ['POST /v1/webhook-endpoints/we_1/redeliver', 'slow'],
  ['POST /v1/subscriptions/webhook%2Fwe_1/resume', 'slow'],
  ['POST /v1/subscriptions/analytics/pause', 'other'],
  ['POST /v1/quotes', 'quote'],
  ['POST /v1/reconciliations', 'other'],
  ['GET /v1/reconciliations', 'other'],
  ['GET /v1/orders', 'other'],
  ['GET /v1/products', 'catalog'],
  ['HEAD /v1/products/mug-white', 'catalog'],
  ['GET /v1/products/mug-white/stock', 'other'],
  ['PUT /v1/products/mug-white', 'other'],
  ['POST /v1/orders/ord_1/refunds', 'other'],
  ['POST /v1/dead-letters/dl_1/discard', 'other'],
])('%s belongs to the request class %s', (call, requestClass) => {
  const [method = '', path = ''] = call.split(' ');
  expect(requestClassOf({ method, path })).toBe(requestClass);
});
