/**
 * Orders that stand still: which ones to look at, where their books stand, and what is written when
 * nothing carries them any more. It asks no Temporal; the caller has.
 */
import { AUTHORIZATION_LIFETIME_MS, AUTHORIZATION_MARGIN_MS } from '../../domain/attention.ts';
import {
  CHECKOUT_STEP,
  lastStage,
  type CheckoutStage,
  type CheckoutStep,
} from '../../domain/checkout-steps.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { CancelReason, OrderStatus } from '../../domain/order.ts';
import { transitionOrder, orderTransaction } from './transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { resolveDeadLetter } from '../events/dead-letters.ts';
import { markNeedsAttention } from './needs-attention.ts';
import type { CheckoutStart } from './orders.ts';

export interface StuckOrder {
  readonly orderId: OrderId;
  readonly status: OrderStatus;
  readonly version: number;
  /** The steps that wait for a person, as one text; null when none does. */
  readonly attentionStep: string | null;
  /** True when the checkout as a whole waits, because nothing carried it. */
  readonly isCheckoutPending: boolean;
  /** True when money nobody captured should have been let go by now. */
  readonly authorizationExpiring: boolean;
}

/** A running workflow decides by its own clock; this much later it has not. */
const LATE_MS = 10 * 60_000;

/**
 * Orders that have not changed for `idleMs` though they should move, those whose checkout waits for
 * a person, and those whose hold nobody minds. Not those that were checked within `recheckMs`;
 * the longest unchecked first.
 */
export async function listStuckOrders(
  db: Database,
  asked: { readonly idleMs: number; readonly recheckMs: number; readonly limit: number },
): Promise<readonly StuckOrder[]> {
  return db.$queryRaw<StuckOrder[]>`
    SELECT * FROM (
      SELECT o.id AS "orderId", o.status, o.version, o.checked_at, o.updated_at,
        o.attention_step AS "attentionStep",
        o.attention_step IS NOT DISTINCT FROM ${CHECKOUT_STEP} AS "isCheckoutPending",
        COALESCE(p.status = 'authorized' AND NOT p.captured_manually AND now() > COALESCE(p.capture_before,
          COALESCE(o.placed_at, o.created_at) + ${AUTHORIZATION_LIFETIME_MS} * interval '1 ms')
          - ${AUTHORIZATION_MARGIN_MS - LATE_MS} * interval '1 ms', false) AS "authorizationExpiring"
      FROM orders o LEFT JOIN payments p ON p.order_id = o.id
      WHERE o.status IN ('placed', 'reserved', 'paid', 'cancelling', 'needs_attention')
        AND (o.checked_at IS NULL OR o.checked_at < now() - ${asked.recheckMs} * interval '1 ms')
    ) still
    WHERE (status <> 'needs_attention' AND updated_at < now() - ${asked.idleMs} * interval '1 ms')
       OR (status = 'needs_attention' AND ("isCheckoutPending" OR "authorizationExpiring"))
    ORDER BY checked_at NULLS FIRST, "orderId" LIMIT ${asked.limit}`;
}

/** Remembers that somebody looked. */
export async function markChecked(db: Database, orderIds: readonly OrderId[]): Promise<void> {
  await db.$executeRaw`UPDATE orders SET checked_at = now() WHERE id = ANY(${[...orderIds]})`;
}

export interface CheckoutProgress {
  readonly start: CheckoutStart;
  readonly from: CheckoutStage;
  readonly cancelReason: CancelReason | null;
  /** A person sent the goods past the warehouse. */
  readonly shippedManually: boolean;
}

/** What a new run of the order's workflow needs to go on; null when there is no such order. */
export async function findCheckoutProgress(
  db: Database,
  orderId: OrderId,
): Promise<CheckoutProgress | null> {
  const rows = await db.$queryRaw<(CheckoutStart & Recorded)[]>`
    SELECT o.id AS "orderId", o.total_minor AS "totalMinor", o.currency,
      o.correlation_id AS "correlationId", o.traceparent, o.cancel_reason AS "cancelReason",
      (SELECT array_agg(l.sku ORDER BY l.position) FROM order_lines l WHERE l.order_id = o.id) AS skus,
      ARRAY(SELECT e.type FROM events e WHERE e.order_id = o.id AND e.dedup_key = e.type) AS entered,
      ARRAY(SELECT e.data ->> 'step' FROM events e WHERE e.order_id = o.id
        AND e.type = 'order.attention_resolved' AND e.data ->> 'decision' = 'skip') AS skipped
    FROM orders o WHERE o.id = ${orderId}`;
  const [row] = rows;
  if (row === undefined) return null;
  const { entered, skipped, cancelReason, ...start } = row;
  const isDone = ({ name, stage }: CheckoutStep): boolean =>
    entered.includes(`order.${stage.after}`) || skipped.includes(name);
  const from = entered.includes('order.cancelling') ? 'cancelling' : lastStage(isDone);
  return { start, from, cancelReason, shippedManually: skipped.includes('shipOrder') };
}

interface Recorded extends Pick<CheckoutProgress, 'cancelReason'> {
  /** The types of the events that an order has at most once, its statuses among them. */
  readonly entered: readonly string[];
  /** The steps that an operator skipped. */
  readonly skipped: readonly string[];
}

/** Remembers that a new run of the order's workflow began. */
export async function markRestarted(db: Database, orderId: OrderId): Promise<void> {
  await db.$executeRaw`
    UPDATE orders SET workflow_started_at = now(), checked_at = now() WHERE id = ${orderId}`;
}

/** Order `needs_attention` for its checkout as a whole, unless it has moved since it was seen. */
export async function markStuckNeedsAttention(
  db: Database,
  { orderId, version }: Pick<StuckOrder, 'orderId' | 'version'>,
  failure: string,
): Promise<boolean> {
  return orderTransaction(db, orderId, async (tx) => {
    if (!(await isAt(tx, orderId, version))) return false;
    const parked = await markNeedsAttention(tx, orderId, { steps: [CHECKOUT_STEP], failure });
    return parked.kind === 'changed';
  });
}

/** What carried the order works again: it stands where it stood, and nobody has to decide. */
export async function recordRecovered(
  db: Database,
  { orderId, version }: Pick<StuckOrder, 'orderId' | 'version'>,
  resumes: CheckoutStage,
): Promise<boolean> {
  return orderTransaction(db, orderId, async (tx) => {
    if (!(await isAt(tx, orderId, version))) return false;
    const step = CHECKOUT_STEP;
    const change = await transitionOrder(tx, {
      orderId,
      type: 'order.attention_resolved',
      to: resumes,
      dedupKey: null,
      data: { step, decision: 'none', note: 'it runs again', actor: 'system', resumes },
    });
    await resolveDeadLetter(tx, { source: 'checkout', subject: step, orderId, eventId: null });
    return change.kind === 'changed';
  });
}

/** Closes letters about checkouts that have moved on by themselves. Returns how many. */
export async function closeStaleDeadLetters(db: Database, limit: number): Promise<number> {
  return db.$executeRaw`
    UPDATE dead_letters SET status = 'resolved', decided_at = COALESCE(decided_at, now())
    WHERE id IN (
      SELECT d.id FROM dead_letters d JOIN orders o ON o.id = d.order_id
      WHERE d.source = 'checkout' AND d.status IN ('open', 'redriven')
        AND o.status <> 'needs_attention' AND o.updated_at < now() - interval '1 minute'
      LIMIT ${limit})
    AND status IN ('open', 'redriven')`;
}

async function isAt(tx: Transaction, orderId: OrderId, version: number): Promise<boolean> {
  const where = { id: orderId, version };
  return (await tx.order.count({ where })) === 1;
}
