/**
 * Refunds: requested under the order's lock, and read. A refund is recorded with its provider key before
 * the provider is called, and its amount counts as spent afterwards. refund-outcomes.ts records its
 * outcome.
 */
import { refundKey, type OrderId, type RefundId } from '../../domain/ids.ts';
import {
  refundability,
  type NotRefundableReason,
  type Refund,
  type RefundableOrder,
  type RefundCause,
  type RefundStatus,
} from '../../domain/refund.ts';
import { transitionOrder, orderTransaction } from '../orders/transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import type { Prisma } from '../generated/client.ts';
import { insertCompletedKey, type KeyClaim, type StoredResponse } from '../access/idempotency.ts';
import { newId } from '../client/ids.ts';
import { uncheckedColumn } from '../client/columns.ts';

/** The statuses of a refund whose outcome is not known. */
export const OPEN: RefundStatus[] = ['requested', 'needs_attention'];

/** The refund, or null. */
export async function findRefund(db: Database, id: RefundId): Promise<Refund | null> {
  const row = await db.refund.findUnique({ where: { id } });
  return row && toRefund(row);
}

/** An order has 51 refunds that succeeded or are open, and may have any number that failed. */
const MAX_LISTED = 100;

/** The order's latest refunds, failed ones too, oldest first. */
export async function listRefunds(db: Transaction, orderId: OrderId): Promise<readonly Refund[]> {
  const rows = await db.refund.findMany({
    where: { orderId },
    orderBy: { id: 'desc' },
    take: MAX_LISTED,
  });
  return rows.map(toRefund).toReversed();
}

/** Every refund of the order, oldest first: one page after `startingAfter`. */
export async function pageRefunds(
  db: Database,
  orderId: OrderId,
  page: { readonly limit: number; readonly startingAfter?: string | undefined },
): Promise<{ readonly refunds: readonly Refund[]; readonly hasMore: boolean }> {
  const { limit, startingAfter } = page;
  const rows = await db.refund.findMany({
    where: { orderId, ...(startingAfter !== undefined && { id: { gt: startingAfter } }) },
    orderBy: { id: 'asc' },
    take: limit + 1,
  });
  return { refunds: rows.slice(0, limit).map(toRefund), hasMore: rows.length > limit };
}

export interface RefundRequest {
  readonly orderId: OrderId;
  /** Null: everything left. */
  readonly amountMinor: number | null;
  readonly reason: string;
  /** The API key of the request. */
  readonly actor: string;
  readonly claim: KeyClaim;
  readonly response: (refund: Refund) => StoredResponse;
}

export type RequestRefundOutcome =
  | { readonly kind: 'requested'; readonly refund: Refund; readonly response: StoredResponse }
  | { readonly kind: 'exceeds'; readonly leftMinor: number; readonly currency: string }
  | { readonly kind: 'not_refundable'; readonly reason: NotRefundableReason };

/**
 * Refund `requested`, provider intent, event and stored response: one transaction under the order's
 * lock, so that a cancel and a refund, or two refunds, cannot claim the same money. Throws
 * KeyTakenError.
 */
export async function requestRefund(
  db: Database,
  request: RefundRequest,
): Promise<RequestRefundOutcome> {
  const { orderId, claim } = request;
  return orderTransaction(db, orderId, async (tx) => {
    const order = await findRefundable(tx, orderId);
    const can = refundability(order);
    if (can.kind === 'not_refundable') return can;
    const { leftMinor } = can;
    const { currency } = order.payment;
    const amountMinor = request.amountMinor ?? leftMinor;
    if (amountMinor === 0 || amountMinor > leftMinor) {
      return { kind: 'exceeds', leftMinor, currency };
    }
    const refund = await writeRequested(tx, request, amountMinor);
    const response = request.response(refund);
    await insertCompletedKey(tx, claim, response);
    return { kind: 'requested', refund, response };
  });
}

export interface NewRefund {
  readonly id: RefundId;
  readonly orderId: OrderId;
  readonly key: string;
  readonly cause: RefundCause;
  readonly amountMinor: number;
  readonly reason: string | null;
}

/** Claims the amount and writes the refund and its intent: all or nothing. Raw: one statement. */
export async function openRefund(tx: Transaction, refund: NewRefund): Promise<Refund> {
  const { id, orderId, key, amountMinor } = refund;
  const opened = await tx.$executeRaw`
    WITH claimed AS (
      UPDATE payments SET refunding_minor = refunding_minor + ${amountMinor}, updated_at = now()
      WHERE order_id = ${orderId}
        AND captured_minor - refunded_minor - refunding_minor >= ${amountMinor}
      RETURNING currency, provider_reference),
    intent AS (
      INSERT INTO payment_operations
        (order_id, key, kind, state, amount_minor, currency, provider_reference)
      SELECT ${orderId}, ${key}, 'refund', 'requested', ${amountMinor}, currency, provider_reference
      FROM claimed ON CONFLICT (key, state) DO NOTHING)
    INSERT INTO refunds (id, order_id, key, cause, status, amount_minor, currency, reason)
    SELECT ${id}, ${orderId}, ${key}, ${refund.cause}, 'requested', ${amountMinor}, currency,
      ${refund.reason}
    FROM claimed`;
  if (opened !== 1) throw new Error(`refund ${id}: the order has less than ${amountMinor} left`);
  return toRefund(await tx.refund.findUniqueOrThrow({ where: { id } }));
}

/** The arguments of a refund workflow. Ids and amounts only (G8). */
export interface RefundStart {
  readonly refundId: RefundId;
  readonly orderId: OrderId;
  readonly amountMinor: number;
  readonly currency: string;
  readonly correlationId: string;
  /** The order's trace. */
  readonly traceparent: string | null;
  /** The order's, too. */
  readonly inspectable: boolean;
}

/** Those of the given refunds on request whose workflow is not known to have started. */
export async function findUnstartedRefunds(
  db: Database,
  ids: readonly RefundId[],
): Promise<readonly RefundStart[]> {
  const rows = await db.refund.findMany({
    where: { id: { in: [...ids] }, ...REQUESTED, workflowStartedAt: null },
    include: WITH_ORDER,
    orderBy: [{ requestedAt: 'asc' }, { id: 'asc' }],
  });
  return rows.map(toStart);
}

/** The arguments for the workflow of an open refund; null when it is settled. */
export async function findRefundStart(db: Database, id: RefundId): Promise<RefundStart | null> {
  const where = { id, status: { in: OPEN } };
  const row = await db.refund.findFirst({ where, include: WITH_ORDER });
  return row && toStart(row);
}

const REQUESTED = { cause: 'requested', status: 'requested' } as const;
const WITH_ORDER = {
  order: { select: { correlationId: true, traceparent: true, inspectable: true } },
} as const;

function toStart(row: Prisma.RefundGetPayload<{ include: typeof WITH_ORDER }>): RefundStart {
  const { id: refundId, orderId, amountMinor, currency } = toRefund(row);
  return { refundId, orderId, amountMinor, currency, ...row.order };
}

/** Records that the refund's workflow was started. Raw for the database's clock. */
export async function markRefundStarted(db: Database, id: RefundId): Promise<void> {
  await db.$executeRaw`
    UPDATE refunds SET workflow_started_at = now()
    WHERE id = ${id} AND workflow_started_at IS NULL`;
}

export function toRefund(row: Prisma.RefundGetPayload<object>): Refund {
  return {
    id: uncheckedColumn<RefundId>(row.id),
    orderId: uncheckedColumn<OrderId>(row.orderId),
    key: row.key,
    cause: row.cause,
    status: row.status,
    amountMinor: row.amountMinor,
    currency: row.currency,
    reason: row.reason,
    failureCode: row.failureCode,
    requestedAt: row.requestedAt.toISOString(),
    settledAt: row.settledAt?.toISOString() ?? null,
  };
}

async function findRefundable(tx: Transaction, orderId: OrderId): Promise<RefundableOrder> {
  const row = await tx.order.findUniqueOrThrow({
    where: { id: orderId },
    include: {
      payment: true,
      _count: { select: { refunds: { where: { status: { not: 'failed' } } } } },
    },
  });
  if (row.payment === null) throw new Error(`order ${orderId} has no payment`);
  return {
    status: row.status,
    cancelReason: row.cancelReason,
    payment: row.payment,
    refunds: row._count.refunds,
  };
}

async function writeRequested(
  tx: Transaction,
  { orderId, reason, actor }: RefundRequest,
  amountMinor: number,
): Promise<Refund> {
  const id = newId('refund');
  const key = refundKey(orderId, id);
  const refund = await openRefund(tx, {
    id,
    orderId,
    key,
    cause: 'requested',
    amountMinor,
    reason,
  });
  const { currency } = refund;
  await transitionOrder(tx, {
    orderId,
    type: 'refund.requested',
    dedupKey: `refund.requested/${id}`,
    data: { refund_id: id, amount_minor: amountMinor, currency, actor },
  });
  return refund;
}
