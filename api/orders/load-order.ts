/** Loads the order of a path parameter, or throws a 404. */
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { Database } from '../../prisma/client/client.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { ProblemError } from '../http/problems.ts';

/** Throws ProblemError `order_not_found` for a malformed id, like for an unknown one. */
export function parseOrderId(text: string): OrderId {
  if (isOrderId(text)) return text;
  throw orderNotFound();
}

/** Throws ProblemError `order_not_found`. */
export async function loadOrder(db: Database, text: string): Promise<Order> {
  const order = await findOrder(db, parseOrderId(text));
  if (order === null) throw orderNotFound();
  return order;
}

export function orderNotFound(): ProblemError {
  return new ProblemError({ code: 'order_not_found', detail: 'No order has this id.' });
}
