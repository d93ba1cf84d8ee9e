/**
 * Orders with no progress: how to find them, how far they got, and how to mark one whose workflow is
 * gone. It does not call Temporal; the caller does. Raw SQL for the database's clock, and for arrays of
 * an order's events.
 */
import { AUTHORIZATION_LIFETIME_MS, AUTHORIZATION_MARGIN_MS } from '../../domain/attention.ts';
import {
  CHECKOUT_STEP,
  lastStage,
  type CheckoutStage,
  type CheckoutStep,
} from '../../domain/checkout-steps.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { CancelReason, EventType, OrderStatus } from '../../domain/order.ts';
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
  /** True when the whole checkout waits, because its workflow was gone. */
  readonly isCheckoutPending: boolean;
  /** True when an uncaptured authorization should have been voided by now. */
  readonly authorizationExpiring: boolean;
}

/** A running workflow acts by its own clock; after this time it has not. */
const LATE_MS = 10 * 60_000;

/**
 * Orders that have not changed for `idleMs` though they should move, those whose whole checkout waits
 * for a person, and those whose authorization is about to expire; except those that were checked within
 * `recheckMs` (`markChecked`). The longest unchecked first.
 */
export async function listStuckOrders(
  db: Database,
  filter: { readonly idleMs: number; readonly recheckMs: number; readonly limit: number },
): Promise<readonly StuckOrder[]> {
  return db.$queryRaw<StuckOrder[]>`
    SELECT * FROM (
      SELECT o.id AS "orderId", o.status, o.version, o.checked_at, o.updated_at,
        o.attention_step AS "attentionStep",
        o.attention_step IS NOT DISTINCT FROM ${CHECKOUT_STEP} AS "isCheckoutPending",
        COALESCE(p.status = 'authorized' AND p.amount_minor > 0 AND NOT p.captured_manually AND now() > COALESCE(p.capture_before,
          COALESCE(o.placed_at, o.created_at) + ${AUTHORIZATION_LIFETIME_MS} * interval '1 ms')
          - ${AUTHORIZATION_MARGIN_MS - LATE_MS} * interval '1 ms', false) AS "authorizationExpiring"
      FROM orders o LEFT JOIN payments p ON p.order_id = o.id
      WHERE o.status IN ('placed', 'reserved', 'paid', 'cancelling', 'needs_attention')
        AND (o.checked_at IS NULL OR o.checked_at < now() - ${filter.recheckMs} * interval '1 ms')
    ) candidate
    WHERE (status <> 'needs_attention' AND updated_at < now() - ${filter.idleMs} * interval '1 ms')
       OR (status = 'needs_attention' AND ("isCheckoutPending" OR "authorizationExpiring"))
    ORDER BY checked_at NULLS FIRST, "orderId" LIMIT ${filter.limit}`;
}

export interface CheckoutProgress {
  readonly start: CheckoutStart;
  readonly from: CheckoutStage;
  readonly cancelReason: CancelReason | null;
  /** A person shipped the goods without the warehouse. */
  readonly shippedManually: boolean;
  /** Money or units were given back. */
  readonly compensated: boolean;
  readonly status: OrderStatus;
  /** The steps that a person was ever asked about. */
  readonly asked: readonly string[];
}

const GIVEN_BACK: readonly EventType[] = [
  'order.payment_voided',
  'order.payment_refunded',
  'order.stock_released',
];

/** What a new run of the order's workflow continues from; null when no such order exists. */
export async function findCheckoutProgress(
  db: Database,
  orderId: OrderId,
): Promise<CheckoutProgress | null> {
  const rows = await db.$queryRaw<(CheckoutStart & Recorded)[]>`
    SELECT o.id AS "orderId", o.total_minor AS "totalMinor", o.currency,
      o.correlation_id AS "correlationId", o.traceparent, o.inspectable,
      o.cancel_reason AS "cancelReason",
      (SELECT array_agg(l.sku ORDER BY l.position) FROM order_lines l WHERE l.order_id = o.id) AS skus,
      ARRAY(SELECT e.type FROM events e WHERE e.order_id = o.id AND e.dedup_key = e.type) AS entered,
      ARRAY(SELECT e.data ->> 'step' FROM events e WHERE e.order_id = o.id
        AND e.type = 'order.attention_resolved' AND e.data ->> 'decision' = 'skip') AS skipped,
      ARRAY(SELECT jsonb_array_elements_text(e.data -> 'steps') FROM events e
        WHERE e.order_id = o.id AND e.type = 'order.needs_attention') AS asked,
      EXISTS (SELECT FROM events e WHERE e.order_id = o.id
        AND e.type = ANY(${[...GIVEN_BACK]}::text[])) AS compensated, o.status
    FROM orders o WHERE o.id = ${orderId}`;
  const [row] = rows;
  if (row === undefined) return null;
  const { entered, skipped, asked, compensated, status, cancelReason, ...start } = row;
  const isDone = ({ name, stage }: CheckoutStep): boolean =>
    entered.includes(`order.${stage.after}`) || skipped.includes(name);
  const from = entered.includes('order.cancelling') ? 'cancelling' : lastStage(isDone);
  const shippedManually = skipped.includes('shipOrder');
  return { start, from, cancelReason, shippedManually, compensated, status, asked };
}

interface Recorded extends Pick<
  CheckoutProgress,
  'cancelReason' | 'status' | 'asked' | 'compensated'
> {
  /** The types of the events that an order has at most once, its statuses among them. */
  readonly entered: readonly string[];
  /** The steps that an operator skipped. */
  readonly skipped: readonly string[];
}

/**
 * Records that a new run of the order's workflow started. What the earlier run was about to retry is not
 * retried by anybody; what fails again is counted again.
 */
export async function markRestarted(db: Database, orderId: OrderId): Promise<void> {
  await db.$executeRaw`
    WITH restarted AS (
      UPDATE orders SET workflow_started_at = now(), checked_at = now() WHERE id = ${orderId}
      RETURNING id)
    UPDATE step_attempts SET next_attempt_at = NULL, brief_attempts = 0
    FROM restarted WHERE order_id = restarted.id AND NOT starts_with(step, 'refund: ')`;
}

/** Order `needs_attention` for its checkout as a whole, unless it has changed since it was read. */
export async function markStuckNeedsAttention(
  db: Database,
  { orderId, version }: Pick<StuckOrder, 'orderId' | 'version'>,
  failure: string,
): Promise<boolean> {
  return orderTransaction(db, orderId, async (tx) => {
    if (!(await isAt(tx, orderId, version))) return false;
    const change = await markNeedsAttention(tx, orderId, { steps: [CHECKOUT_STEP], failure });
    return change.kind === 'changed';
  });
}

/** The order's workflow runs again: the order resumes at its stage without a decision. */
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

/** Resolves dead letters about checkouts that have continued since. Returns how many. */
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
