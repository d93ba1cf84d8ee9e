/** The reads of the API that are measured, each with other ids at every call. */
import type { Database } from '../../../prisma/client/client.ts';
import type { LoadRequest } from '../load.ts';

/** Rows to ask for, from anywhere in the tables. */
export interface Sample {
  readonly orders: readonly {
    readonly id: string;
    readonly email: string;
    readonly tracking: string | null;
  }[];
  /** Of orders that have a dead letter. */
  readonly failed: readonly string[];
  readonly cursors: readonly string[];
}

const SAMPLED = 500;
const OPERATOR = { authorization: 'Bearer hf_local_operator' };
const HOUR_MS = 3_600_000;

/** Picks the rows at random. */
export async function takeSample(db: Database): Promise<Sample> {
  const orders = await db.$queryRaw<Sample['orders'][number][]>`
    SELECT o.id, customer_email AS email, tracking_number AS tracking
    FROM orders o LEFT JOIN shipments s ON s.order_id = o.id ORDER BY random() LIMIT ${SAMPLED}`;
  const failed = await db.$queryRaw<{ id: string }[]>`
    SELECT order_id AS id FROM dead_letters ORDER BY random() LIMIT ${SAMPLED}`;
  const cursors = await db.$queryRaw<{ cursor: string }[]>`
    SELECT xid::text || '-' || position AS cursor FROM events
    WHERE order_id = ANY (${orders.map(({ id }) => id)}) AND seq = 1`;
  return { orders, failed: failed.map(({ id }) => id), cursors: cursors.map((row) => row.cursor) };
}

/** Every read by its name, as the next request of it. */
export function requestedReads(sample: Sample): Readonly<Record<string, () => LoadRequest>> {
  const order = inTurns(sample.orders);
  const failed = inTurns(sample.failed);
  const cursor = inTurns(sample.cursors);
  const tracking = inTurns(sample.orders.flatMap((each) => each.tracking ?? []));
  const aWeekAgo = new Date(Date.now() - 7 * 24 * HOUR_MS).toISOString();
  const anHourAgo = new Date(Date.now() - HOUR_MS).toISOString();
  const paths = {
    'orders: first page': () => '/v1/orders?limit=20',
    'orders: a page in the middle': () => `/v1/orders?limit=20&starting_after=${order().id}`,
    'orders: of a status': () => '/v1/orders?limit=20&status=cancelled',
    'orders: of a rare status': () => '/v1/orders?limit=20&status=needs_attention',
    'orders: of an e-mail': () => `/v1/orders?limit=20&email=${order().email}`,
    'orders: of the last hour': () => `/v1/orders?limit=20&created_after=${anHourAgo}`,
    'orders: declined in the last hour': () =>
      `/v1/orders?limit=20&status=declined&created_after=${anHourAgo}`,
    'orders: of three statuses': () => '/v1/orders?limit=20&status=placed,reserved,cancelled',
    'orders: unchanged for a week': () => `/v1/orders?limit=20&updated_before=${aWeekAgo}`,
    'orders: searched by number': () => `/v1/orders?limit=20&q=${order().id.slice(-9)}`,
    'orders: searched by e-mail': () => `/v1/orders?limit=20&q=${order().email}`,
    'orders: searched by tracking number': () => `/v1/orders?limit=20&q=${tracking()}`,
    'orders: with an open case': () => '/v1/orders?limit=20&payment_case=open',
    'orders: counts': () => '/v1/orders/counts',
    'an order with its timeline': () => `/v1/orders/${order().id}`,
    'the timeline of an order': () => `/v1/orders/${order().id}/timeline`,
    'the refunds of an order': () => `/v1/orders/${order().id}/refunds`,
    'events: first page': () => '/v1/events?limit=20',
    'events: a page in the middle': () => `/v1/events?limit=20&after=${cursor()}`,
    'events: of two types': () =>
      `/v1/events?limit=20&types=order.declined,order.cancelled&after=${cursor()}`,
    'events: of a rare type': () => '/v1/events?limit=20&types=order.needs_attention',
    'dead letters: first page': () => '/v1/dead-letters?limit=20',
    'dead letters: open': () => '/v1/dead-letters?limit=20&status=open',
    'dead letters: of an order': () => `/v1/dead-letters?limit=20&order_id=${failed()}`,
    'dead letters: groups': () => '/v1/dead-letters/groups',
    stock: () => '/v1/stock?limit=20',
    'analytics of a week': () => `/v1/analytics?by=day&from=${aWeekAgo}`,
    products: () => '/v1/products?limit=20',
    'products: searched': () => '/v1/products?limit=20&q=item',
    reports: () => '/v1/reports?limit=20',
    subscriptions: () => '/v1/subscriptions',
    'metrics (cached for 1 s)': () => '/metrics',
  };
  return Object.fromEntries(
    Object.entries(paths).map(([name, path]) => [
      name,
      () => ({ method: 'GET', path: path(), headers: OPERATOR }) as const,
    ]),
  );
}

function inTurns<T>(rows: readonly T[]): () => T {
  let at = 0;
  return () => {
    const row = rows[at++ % rows.length];
    if (row === undefined) throw new Error('nothing to ask for');
    return row;
  };
}
