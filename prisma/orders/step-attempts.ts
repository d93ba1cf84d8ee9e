/**
 * What was tried at an order's steps, and what waits for a person. The words of a failure are closed
 * ones (activities/failures.ts), never a provider's or a person's.
 */
import { AUTHORIZATION_LIFETIME_MS } from '../../domain/attention.ts';
import { checkoutWorkflowId, type OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';
import { recordDeadLetter } from '../events/dead-letters.ts';

/** A failed attempt at a step, counted until somebody decides about the step. */
export async function countAttempt(
  db: Database,
  failed: { readonly orderId: OrderId; readonly step: string; readonly failure: string },
): Promise<void> {
  const { orderId, step, failure } = failed;
  // An order that does not exist has no attempts, and its failure is told all the same.
  await db.$executeRaw`
    INSERT INTO step_attempts (order_id, step, attempts, last_failure)
    SELECT id, ${step}, 1, ${failure} FROM orders WHERE id = ${orderId}
    ON CONFLICT (order_id, step) DO UPDATE SET attempts = step_attempts.attempts + 1,
      last_failure = EXCLUDED.last_failure, last_failed_at = now()`;
}

/** A dead letter about a step of an order, with the attempts that were really made at it. */
export async function recordStepDeadLetter(
  tx: Transaction,
  orderId: OrderId,
  failed: {
    readonly source: 'checkout' | 'notification';
    readonly step: string;
    readonly subject: string;
    readonly failure: string;
  },
): Promise<void> {
  const { source, subject, step } = failed;
  const tried = await tx.stepAttempt.findUnique({ where: { orderId_step: { orderId, step } } });
  const now = new Date();
  await recordDeadLetter(tx, {
    source,
    subject,
    orderId,
    eventId: null,
    message: { workflow_id: checkoutWorkflowId(orderId) },
    error: tried?.lastFailure ?? failed.failure,
    retryCount: tried?.attempts ?? 1,
    firstFailedAt: (tried?.firstFailedAt ?? now).toISOString(),
    lastFailedAt: (tried?.lastFailedAt ?? now).toISOString(),
  });
}

/**
 * How long money that is held and not captured stays held, counted from the start of the order's
 * workflow, in ms; null when none is, or when a person captured it by hand.
 */
export async function findAuthorizationLeft(
  db: Database,
  orderId: OrderId,
): Promise<number | null> {
  const rows = await db.$queryRaw<{ leftMs: number }[]>`
    SELECT (EXTRACT(epoch FROM
      COALESCE(p.capture_before, COALESCE(o.placed_at, o.created_at) + ${AUTHORIZATION_LIFETIME_MS} * interval '1 ms')
      - COALESCE(o.workflow_started_at, o.placed_at, o.created_at)) * 1000)::float8 AS "leftMs"
    FROM orders o JOIN payments p ON p.order_id = o.id
    WHERE o.id = ${orderId} AND p.status = 'authorized' AND NOT p.captured_manually`;
  return rows[0] ? Math.floor(rows[0].leftMs) : null;
}

export interface WaitingStep {
  readonly step: string;
  /** Failures since somebody last decided about the step. */
  readonly attempts: number;
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
  readonly lastFailure: string;
  readonly deadLetterId: string;
}

export interface AttentionView {
  readonly since: string;
  readonly steps: readonly WaitingStep[];
}

/** What waits for a person, as far as the books tell; null when nothing does. */
export async function findAttention(db: Database, orderId: OrderId): Promise<AttentionView | null> {
  const rows = await db.$queryRaw<(DeadLetterRow & { since: Date })[]>`
    SELECT d.subject AS step, d.retry_count AS attempts, d.first_failed_at AS "firstFailedAt",
      d.last_failed_at AS "lastFailedAt", d.error AS "lastFailure", d.id AS "deadLetterId",
      (SELECT max(e.time) FROM events e
        WHERE e.order_id = o.id AND e.type = 'order.needs_attention') AS since
    FROM orders o JOIN dead_letters d ON d.order_id = o.id AND d.source = 'checkout'
    WHERE o.id = ${orderId} AND o.status = 'needs_attention'
      AND d.status IN ('open', 'redriven')
      AND d.subject = ANY(string_to_array(o.attention_step, ', '))
    ORDER BY d.id`;
  const [first] = rows;
  if (first === undefined) return null;
  return { since: first.since.toISOString(), steps: rows.map(toStep) };
}

/** How many orders wait for a person, by the steps they wait at. */
export async function countNeedingAttention(
  db: Database,
): Promise<readonly { readonly step: string; readonly orders: number }[]> {
  return db.$queryRaw`
    SELECT attention_step AS step, count(*)::int AS orders FROM orders
    WHERE status = 'needs_attention' GROUP BY attention_step`;
}

type DeadLetterRow = Omit<WaitingStep, 'firstFailedAt' | 'lastFailedAt'> & {
  readonly firstFailedAt: Date;
  readonly lastFailedAt: Date;
};

function toStep({
  step,
  attempts,
  lastFailure,
  deadLetterId,
  ...times
}: DeadLetterRow): WaitingStep {
  return {
    step,
    attempts,
    lastFailure,
    deadLetterId,
    firstFailedAt: times.firstFailedAt.toISOString(),
    lastFailedAt: times.lastFailedAt.toISOString(),
  };
}

/** Forgets attempts at steps of orders that came to rest a week ago. Returns how many. */
export async function purgeStepAttempts(db: Database, limit: number): Promise<number> {
  return db.$executeRaw`
    DELETE FROM step_attempts WHERE (order_id, step) IN (
      SELECT a.order_id, a.step FROM step_attempts a JOIN orders o ON o.id = a.order_id
      WHERE a.last_failed_at < now() - interval '7 days'
        AND o.status IN ('shipped', 'delivered', 'cancelled')
      LIMIT ${limit})`;
}
