/**
 * One order's events by their sequence. Numbers are assigned under the order's row lock, so they become
 * visible in order and without gaps: a reader of one order needs no cursor of the log.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { OrderEvent } from '../../domain/order.ts';
import type { Database } from '../client/client.ts';
import { toEvent } from '../client/mappers.ts';

/** The order's events after its `seq`-th, oldest first. */
export async function listOrderEventsAfter(
  db: Database,
  orderId: OrderId,
  after: { readonly seq: number; readonly limit: number },
): Promise<readonly OrderEvent[]> {
  const rows = await db.event.findMany({
    where: { orderId, seq: { gt: after.seq } },
    orderBy: { seq: 'asc' },
    take: after.limit,
  });
  return rows.map(toEvent);
}
