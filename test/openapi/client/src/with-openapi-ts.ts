/** The same with the functions that @hey-api/openapi-ts generates. */
import { createClient, createConfig } from './generated/sdk/client/index.js';
import { getOrder, listEvents, placeOrder, type PlaceOrder } from './generated/sdk/index.js';

/** What a storefront and an operator do, and what they are answered. */
export async function useGeneratedSdk(baseUrl: string, body: PlaceOrder) {
  const storefront = createClient(createConfig({ baseUrl, auth: 'hf_local_storefront' }));
  const operator = createClient(createConfig({ baseUrl, auth: 'hf_local_operator' }));
  const placed = await placeOrder({
    client: storefront,
    headers: { 'idempotency-key': crypto.randomUUID() },
    body,
  });
  if (placed.error) throw new Error(placed.error.code);
  // 202: the shopper has to confirm the payment first.
  if (placed.data.object === 'payment_action') throw new Error(placed.data.code);
  const { id } = placed.data;
  const seen = await getOrder({ client: storefront, path: { id }, headers: { prefer: 'wait=30' } });
  const refused = await placeOrder({
    client: storefront,
    headers: { 'idempotency-key': crypto.randomUUID() },
    body: { ...body, lines: [{ sku: body.lines[0]!.sku, quantity: 1_000 }] },
  });
  const code = refused.error?.code;
  const missing = refused.error?.code === 'out_of_stock' ? refused.error.lines : [];
  const feed = await listEvents({ client: operator, query: { limit: 5 } });
  const events = typeof feed.data === 'object' ? feed.data.data.length : 0;
  const location = placed.response.headers.get('location');
  return { id, location, status: seen.data?.status, code, missing: missing.length, events };
}
