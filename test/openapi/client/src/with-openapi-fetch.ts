/** Orders with the types of openapi-typescript, by openapi-fetch. */
import createClient from 'openapi-fetch';
import type { components, paths } from './generated/types.js';

type PlaceOrder = components['schemas']['PlaceOrder'];

/** What a storefront and an operator do, and what they are answered. */
export async function useFetchClient(baseUrl: string, body: PlaceOrder) {
  const storefront = createClient<paths>({ baseUrl, headers: bearer('storefront') });
  const operator = createClient<paths>({ baseUrl, headers: bearer('operator') });
  const placed = await storefront.POST('/v1/orders', {
    params: { header: { 'idempotency-key': crypto.randomUUID() } },
    body,
  });
  if (placed.error) throw new Error(placed.error.code);
  // 202: the shopper has to confirm the payment first.
  if (placed.data.object === 'payment_action') throw new Error(placed.data.code);
  const { id } = placed.data;
  const seen = await storefront.GET('/v1/orders/{id}', {
    params: { path: { id }, header: { prefer: 'wait=30' } },
  });
  const refused = await storefront.POST('/v1/orders', {
    params: { header: { 'idempotency-key': crypto.randomUUID() } },
    body: { ...body, lines: [{ sku: body.lines[0]!.sku, quantity: 1_000 }] },
  });
  const code = refused.error?.code;
  const missing = refused.error?.code === 'out_of_stock' ? refused.error.lines : [];
  const feed = await operator.GET('/v1/events', { params: { query: { limit: 5 } } });
  const events = typeof feed.data === 'object' ? feed.data.data.length : 0;
  const location = placed.response.headers.get('location');
  return { id, location, status: seen.data?.status, code, missing: missing.length, events };
}

function bearer(role: string) {
  return { authorization: `Bearer hf_local_${role}` };
}
