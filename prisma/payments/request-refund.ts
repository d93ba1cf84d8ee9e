/**
 * Requests a refund under the order's lock: what it costs, whether that is left, and the refund with its
 * intent. A refund is recorded with its provider key before the provider is called, and its amount counts
 * as spent afterwards. refund-outcomes.ts records its outcome.
 */
import { refundKey, type OrderId, type RefundId } from '../../domain/ids.ts';
import {
  priceRefund,
  type PricedRefund,
  type RefundedLine,
  type RefundLine,
} from '../../domain/refund-lines.ts';
import {
  cardPartOf,
  creditPartOf,
  refundability,
  type NotRefundableReason,
  type Refund,
  type RefundableOrder,
  type RefundCause,
  type RefundTarget,
} from '../../domain/refund.ts';
import { insertCompletedKey, type KeyClaim, type StoredResponse } from '../access/idempotency.ts';
import type { Database, Transaction } from '../client/client.ts';
import { newId } from '../client/ids.ts';
import { findReturnable, returnUnits } from '../catalog/stock.ts';
import { orderTransaction, transitionOrder } from '../orders/transition.ts';
import { FAILED, toRefund, WITH_LINES } from './refunds.ts';

export interface RefundRequest {
  readonly orderId: OrderId;
  /** Null: everything left, or the lines. */
  readonly amountMinor: number | null;
  /** Units instead of an amount. Every amount is a multiple of `stepMinor`. */
  readonly byLines?:
    { readonly lines: readonly RefundLine[]; readonly stepMinor: number } | undefined;
  readonly to: RefundTarget;
  readonly reason: string;
  /** The API key of the request. */
  readonly actor: string;
  readonly claim: KeyClaim;
  readonly response: (refund: Refund) => StoredResponse;
}

export type RequestRefundOutcome =
  | { readonly kind: 'requested'; readonly refund: Refund; readonly response: StoredResponse }
  | { readonly kind: 'exceeds'; readonly leftMinor: number; readonly currency: string }
  | { readonly kind: 'not_refundable'; readonly reason: NotRefundableReason }
  /** Of the lines; nothing was written. */
  | Exclude<PricedRefund, { kind: 'priced' }>
  /** `left`: units of the line that left the stock and have not come back. */
  | { readonly kind: 'not_returnable'; readonly index: number; readonly left: number }
  | { readonly kind: 'costs_nothing' };

/**
 * Refund `requested`, provider intent, returned units, event and stored response: one transaction under
 * the order's lock, so that a cancel and a refund, or two refunds, cannot claim the same money. Units come
 * back with the request, not with the money: they are on hand again whatever the provider does. Throws
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
    const priced = await priceLines(tx, request);
    if (priced.kind !== 'priced') return priced;
    const costMinor = sumOf(priced.lines);
    if (costMinor === 0) return { kind: 'costs_nothing' };
    const amountMinor = request.amountMinor ?? costMinor ?? leftMinor;
    if (amountMinor === 0 || amountMinor > leftMinor) {
      return { kind: 'exceeds', leftMinor, currency };
    }
    const creditMinor = creditPartOf(amountMinor, order.payment, request.to);
    if (order.status === 'cancelled' && creditMinor > 0) {
      return { kind: 'not_refundable', reason: 'credit_after_cancel' };
    }
    const unreturned = await findUnreturned(tx, orderId, priced.lines);
    if (unreturned !== null) return unreturned;
    const refund = await writeRequested(tx, request, { ...priced, amountMinor, creditMinor });
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
  /** The part that becomes store credit. */
  readonly creditMinor: number;
  readonly lines: readonly RefundedLine[];
  readonly reason: string | null;
  /** Of a refund that the provider has already: its id there. */
  readonly providerReference?: string;
}

/** As `insertRefund`. Throws when less is left: the caller has checked it under the order's lock. */
export async function openRefund(tx: Transaction, refund: NewRefund): Promise<Refund> {
  const opened = await insertRefund(tx, refund);
  if (opened !== null) return opened;
  throw new Error(`refund ${refund.id}: the order has less than ${refund.amountMinor} left`);
}

/**
 * Claims the amount and writes the refund and its intent: all or nothing. Null when less is left. Raw: one
 * statement.
 */
export async function insertRefund(tx: Transaction, refund: NewRefund): Promise<Refund | null> {
  const { id, orderId, key, amountMinor, creditMinor, providerReference = null } = refund;
  const onCard = cardPartOf(refund);
  const lines = JSON.stringify(refund.lines);
  const opened = await tx.$executeRaw`
    WITH claimed AS (
      UPDATE payments SET refunding_minor = refunding_minor + ${onCard},
        crediting_minor = crediting_minor + ${creditMinor}, updated_at = now()
      WHERE order_id = ${orderId} AND status IN ('captured', 'partially_refunded', 'refunded')
        AND captured_minor - refunded_minor - refunding_minor - disputed_minor >= ${onCard}
        AND captured_minor + credit_minor - refunded_minor - refunding_minor - credited_minor
          - crediting_minor - disputed_minor >= ${amountMinor}
      RETURNING currency, provider_reference),
    intent AS (
      INSERT INTO payment_operations
        (order_id, key, kind, state, amount_minor, currency, provider_reference)
      SELECT ${orderId}, ${key}, 'refund', 'requested', ${onCard}, currency, provider_reference
      FROM claimed WHERE ${onCard} > 0 ON CONFLICT (key, state) DO NOTHING),
    with_lines AS (
      INSERT INTO refund_lines (refund_id, sku, quantity, amount_minor, restock)
      SELECT ${id}, sku, quantity, "amountMinor", restock
      FROM claimed, jsonb_to_recordset(${lines}::jsonb) AS line
        (sku text, quantity integer, "amountMinor" integer, restock boolean))
    INSERT INTO refunds (id, order_id, key, cause, status, amount_minor, credit_minor, currency,
      reason, provider_reference, accepted_at)
    SELECT ${id}, ${orderId}, ${key}, ${refund.cause},
      (CASE WHEN ${providerReference}::text IS NULL THEN 'requested' ELSE 'pending' END)::refund_status,
      ${amountMinor}, ${creditMinor}, currency, ${refund.reason}, ${providerReference},
      CASE WHEN ${providerReference}::text IS NOT NULL THEN now() END
    FROM claimed`;
  if (opened !== 1) return null;
  return toRefund(await tx.refund.findUniqueOrThrow({ where: { id }, include: WITH_LINES }));
}

async function findRefundable(tx: Transaction, orderId: OrderId): Promise<RefundableOrder> {
  const row = await tx.order.findUniqueOrThrow({
    where: { id: orderId },
    include: {
      payment: true,
      _count: { select: { refunds: { where: { status: { notIn: FAILED } } } } },
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

/** What the units of the request cost; no lines for an amount. Call it under the order's lock. */
async function priceLines(
  tx: Transaction,
  { orderId, byLines }: RefundRequest,
): Promise<PricedRefund> {
  if (byLines === undefined) return { kind: 'priced', lines: [] };
  const order = await tx.order.findUniqueOrThrow({
    where: { id: orderId },
    select: {
      totalMinor: true,
      lines: { orderBy: { position: 'asc' } },
      refunds: { where: { status: { notIn: FAILED } }, select: { lines: true } },
    },
  });
  const refunded = order.refunds.flatMap(({ lines }) => lines);
  return priceRefund({ ...order, refunded }, byLines.lines, byLines.stepMinor);
}

/** The first line of which more is to come back than has left. */
async function findUnreturned(
  tx: Transaction,
  orderId: OrderId,
  lines: readonly RefundedLine[],
): Promise<Extract<RequestRefundOutcome, { kind: 'not_returnable' }> | null> {
  if (!lines.some(({ restock }) => restock)) return null;
  const returnable = await findReturnable(tx, orderId);
  const leftOf = ({ sku }: RefundedLine): number => returnable.get(sku) ?? 0;
  const index = lines.findIndex((line) => line.restock && line.quantity > leftOf(line));
  const line = lines[index];
  return line === undefined ? null : { kind: 'not_returnable', index, left: leftOf(line) };
}

/** Null without lines. */
function sumOf(lines: readonly RefundedLine[]): number | null {
  if (lines.length === 0) return null;
  return lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
}

async function writeRequested(
  tx: Transaction,
  { orderId, reason, actor }: RefundRequest,
  priced: Pick<Refund, 'amountMinor' | 'creditMinor' | 'lines'>,
): Promise<Refund> {
  const id = newId('refund');
  const key = refundKey(orderId, id);
  const refund = await openRefund(tx, {
    id,
    orderId,
    key,
    cause: 'requested',
    ...priced,
    reason,
  });
  const { amountMinor, creditMinor, currency } = refund;
  const returned = refund.lines.filter(({ restock }) => restock);
  await transitionOrder(tx, {
    orderId,
    type: 'refund.requested',
    dedupKey: `refund.requested/${id}`,
    data: {
      refund_id: id,
      amount_minor: amountMinor,
      credit_minor: creditMinor,
      currency,
      actor,
      ...(returned.length > 0 && {
        restocked: returned.map(({ sku, quantity }) => ({ sku, quantity })),
      }),
    },
  });
  if (returned.length > 0) await returnUnits(tx, { refundId: id, orderId, lines: returned, actor });
  return refund;
}
