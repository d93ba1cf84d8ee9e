/** Reads of orders and what belongs to them. */
import type { Notification, OrderId } from '../../domain/ids.ts';
import {
  isSettledStatus,
  ORDER_STATUSES,
  type Customer,
  type EventType,
  type Order,
  type OrderEvent,
  type OrderStatus,
} from '../../domain/order.ts';
import type { Shipment } from '../../domain/shipment.ts';
import type { Database, Transaction } from '../client/client.ts';
import { ORDER_WITH_LINES, toEvent, toOrder, toShipment } from '../client/mappers.ts';

/** The order with its lines, or null. */
export async function findOrder(db: Transaction, id: OrderId): Promise<Order | null> {
  const row = await db.order.findUnique({ where: { id }, include: ORDER_WITH_LINES });
  return row && toOrder(row);
}

export interface NotifiableOrder {
  readonly order: Order;
  readonly shipment: Shipment | null;
  /** The notification was recorded as sent. */
  readonly wasNotified: boolean;
}

/** What a notification about the order needs, in one statement; null when no such order exists. */
export async function findToNotify(
  db: Database,
  id: OrderId,
  notification: Notification,
): Promise<NotifiableOrder | null> {
  const sent = { dedupKey: `order.customer_notified/${notification}` };
  const row = await db.order.findUnique({
    where: { id },
    include: {
      ...ORDER_WITH_LINES,
      shipment: true,
      events: { where: sent, select: { seq: true } },
    },
  });
  if (!row) return null;
  const shipment = row.shipment && toShipment(row.shipment);
  return { order: toOrder(row), shipment, wasNotified: row.events.length > 0 };
}

/** The part of the order's customer that decides about an SMS; null when there is no such order. */
export async function findSmsConsent(
  db: Database,
  id: OrderId,
): Promise<Pick<Customer, 'phone' | 'smsConsent'> | null> {
  const select = { customerPhone: true, customerSmsConsent: true } as const;
  const row = await db.order.findUnique({ where: { id }, select });
  return row && { phone: row.customerPhone, smsConsent: row.customerSmsConsent };
}

/** The order's status alone, or null: cheap enough to poll while a reader waits. */
export async function findOrderStatus(db: Database, id: OrderId): Promise<OrderStatus | null> {
  const row = await db.order.findUnique({ where: { id }, select: { status: true } });
  return row?.status ?? null;
}

/** Of one status. */
export interface OpenOrders {
  readonly status: OrderStatus;
  readonly orders: number;
  /** Since the oldest of them was created; 0 without one. */
  readonly oldestSeconds: number;
}

/** The orders of each status from which an order still moves. Each status has its row. */
export function countOpenOrders(db: Database): Promise<readonly OpenOrders[]> {
  // Ids sort by their creation time. Beside the count, min() reads the index by status and no finished order.
  return db.$queryRaw<OpenOrders[]>`
    SELECT open.status, counted.orders,
      COALESCE(extract(epoch FROM now() - oldest.created_at)::float8, 0) AS "oldestSeconds"
    FROM unnest(${OPEN_STATUSES}::order_status[]) AS open (status)
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS orders, min(id) AS first_id FROM orders o WHERE o.status = open.status
    ) AS counted
    LEFT JOIN orders oldest ON oldest.id = counted.first_id`;
}

/** Of orders that still move, or wait for an operator. */
export const OPEN_STATUSES = ORDER_STATUSES.filter(
  (status) => !isSettledStatus(status) || status === 'needs_attention',
);

/** The order's shipment, or null before one was requested. */
export async function findShipment(db: Transaction, orderId: OrderId): Promise<Shipment | null> {
  const row = await db.shipment.findUnique({ where: { orderId } });
  return row && toShipment(row);
}

/**
 * The order's events after its `after`-th, oldest first, of these types or of all. An order has some dozen;
 * `limit` bounds the worst case. Numbers are assigned under the order's row lock, so they become visible in
 * order and without gaps: a reader of one order needs no cursor of the log.
 */
export async function listOrderEvents(
  db: Transaction,
  orderId: OrderId,
  query: {
    readonly after?: number;
    readonly types?: readonly EventType[] | undefined;
    readonly limit: number;
  },
): Promise<readonly OrderEvent[]> {
  const { after = 0, types, limit } = query;
  const rows = await db.event.findMany({
    where: { orderId, seq: { gt: after }, ...(types && { type: { in: [...types] } }) },
    orderBy: { seq: 'asc' },
    take: limit,
  });
  return rows.map(toEvent);
}

/** The trace of the order; null: it has none, or there is no such order. */
export async function findTraceparent(db: Database, id: string): Promise<string | null> {
  const found = await db.order.findUnique({ where: { id }, select: { traceparent: true } });
  return found?.traceparent ?? null;
}

/** The arguments of a checkout workflow. Ids and amounts only: no personal data enters Temporal. */
export interface CheckoutStart {
  readonly orderId: OrderId;
  readonly totalMinor: number;
  readonly currency: string;
  readonly skus: readonly string[];
  readonly correlationId: string;
  readonly traceparent: string | null;
  readonly inspectable: boolean;
}

/** Those of the given orders that are placed and whose workflow is not known to have started. */
export async function findUnstarted(
  db: Database,
  orderIds: readonly OrderId[],
): Promise<readonly CheckoutStart[]> {
  const rows = await db.order.findMany({
    where: { id: { in: [...orderIds] }, status: 'placed', workflowStartedAt: null },
    include: ORDER_WITH_LINES,
    orderBy: { placedAt: 'asc' },
  });
  return rows.map((row) => startOf(toOrder(row)));
}

/** The arguments of the order's workflow. */
export function startOf(order: Order): CheckoutStart {
  const { id, lines, totalMinor, currency, correlationId, traceparent, inspectable } = order;
  const skus = lines.map(({ sku }) => sku);
  return { orderId: id, totalMinor, currency, skus, correlationId, traceparent, inspectable };
}

/** Records that the order's workflow was started. Raw for the database's clock. */
export async function markStarted(db: Database, orderId: OrderId): Promise<void> {
  await db.$executeRaw`
    UPDATE orders SET workflow_started_at = now()
    WHERE id = ${orderId} AND workflow_started_at IS NULL`;
}

/**
 * Pending orders `graceMs` past their deadline, the longest untried first (`markChecked`), so that
 * those that cannot be expired never hide the others. Raw for the database's clock, which set the
 * deadline: a process's clock may be wrong.
 */
export async function listOverdue(
  db: Database,
  filter: { readonly graceMs: number; readonly limit: number },
): Promise<readonly Order[]> {
  const overdue = await db.$queryRaw<{ id: OrderId }[]>`
    SELECT id FROM orders
    WHERE status = 'pending' AND deadline_at < now() - ${filter.graceMs} * interval '1 ms'
    ORDER BY checked_at NULLS FIRST, deadline_at LIMIT ${filter.limit}`;
  const rows = await db.order.findMany({
    where: { id: { in: overdue.map(({ id }) => id) }, status: 'pending' },
    include: ORDER_WITH_LINES,
  });
  const orders = new Map(rows.map((row) => [row.id, toOrder(row)]));
  return overdue.flatMap(({ id }) => orders.get(id) ?? []);
}

/** How many seconds the longest overdue pending order is past its deadline; 0 when none is. */
export async function longestOverdueSeconds(db: Database): Promise<number> {
  const [row] = await db.$queryRaw<{ seconds: number | null }[]>`
    SELECT extract(epoch FROM now() - min(deadline_at))::float8 AS seconds FROM orders
    WHERE status = 'pending' AND deadline_at < now()`;
  return row?.seconds ?? 0;
}

/** Records that recovering the order is tried now. */
export async function markChecked(db: Database, orderId: OrderId): Promise<void> {
  await db.$executeRaw`UPDATE orders SET checked_at = now() WHERE id = ${orderId}`;
}

/** True when the order is pending past its deadline: no attempt may start. Raw for the same clock. */
export async function isOverdue(db: Database, orderId: OrderId): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT 1 FROM orders WHERE id = ${orderId} AND status = 'pending' AND deadline_at < now()`;
  return rows.length > 0;
}
