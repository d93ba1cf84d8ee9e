/**
 * Failed attempts at an order's steps, and the steps that wait for a person. The text of a failure is
 * one of a closed set (activities/failures.ts), never a provider's or a person's. Which of the steps are
 * being retried now: retried-steps.ts.
 */
import { AUTHORIZATION_LIFETIME_MS } from '../../domain/attention.ts';
import { BRIEF_DELAYS_MS } from '../../domain/failures.ts';
import { checkoutWorkflowId, type OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';
import { recordDeadLetter } from '../events/dead-letters.ts';

/** `brief`: after the next of `BRIEF_DELAYS_MS`. `none`: the step has given up. */
export type NextAttempt =
  { readonly kind: 'after'; readonly ms: number } | { readonly kind: 'brief' | 'none' };

/**
 * Counts a failed attempt at a step, until the step succeeds or an operator decides about it. Raw: an
 * upsert with counters.
 */
export async function countAttempt(
  db: Database,
  failed: {
    readonly orderId: OrderId;
    readonly step: string;
    readonly failure: string;
    /** False: the next attempt probably fails as well, and the audit names what goes on like that. */
    readonly isOutage: boolean;
    readonly next: NextAttempt;
  },
): Promise<void> {
  const { orderId, step, failure, isOutage, next } = failed;
  const isBrief = next.kind === 'brief';
  const waitMs = next.kind === 'after' ? next.ms : null;
  // Of an order that does not exist nothing is counted; its failure is reported all the same.
  await db.$executeRaw`
    INSERT INTO step_attempts
      (order_id, step, attempts, brief_attempts, last_failure, unexpected_since, next_attempt_at)
    SELECT id, ${step}, 1, ${isBrief ? 1 : 0}::int, ${failure}, CASE WHEN NOT ${isOutage} THEN now() END,
      now() + ${isBrief ? BRIEF_DELAYS_MS[0] : waitMs}::float8 * interval '1 ms'
    FROM orders WHERE id = ${orderId}
    ON CONFLICT (order_id, step) DO UPDATE SET attempts = step_attempts.attempts + 1,
      brief_attempts = step_attempts.brief_attempts + EXCLUDED.brief_attempts,
      last_failure = EXCLUDED.last_failure, last_failed_at = now(),
      unexpected_since = CASE WHEN NOT ${isOutage}
        THEN COALESCE(step_attempts.unexpected_since, now()) END,
      next_attempt_at = CASE WHEN ${isBrief}
        THEN now() + (${BRIEF_DELAYS_MS}::float8[])[step_attempts.brief_attempts + 1] * interval '1 ms'
        ELSE EXCLUDED.next_attempt_at END`;
}

/** The step has succeeded. */
export async function clearAttempts(db: Database, orderId: OrderId, step: string): Promise<void> {
  await db.stepAttempt.deleteMany({ where: { orderId, step } });
}

/** The step waits for a person: nothing retries it. Returns its attempts so far; null when none failed. */
export async function giveUpAttempts(
  tx: Transaction,
  orderId: OrderId,
  step: string,
): Promise<GivenUp | null> {
  const [attempted] = await tx.stepAttempt.updateManyAndReturn({
    where: { orderId, step },
    data: { nextAttemptAt: null },
  });
  return attempted ?? null;
}

export interface GivenUp {
  readonly attempts: number;
  readonly firstFailedAt: Date;
  readonly lastFailedAt: Date;
  readonly lastFailure: string;
}

/** A dead letter about a step of an order, with its counted attempts. */
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
  const attempted = await giveUpAttempts(tx, orderId, step);
  await recordDeadLetter(tx, {
    source,
    subject,
    orderId,
    eventId: null,
    message: { workflow_id: checkoutWorkflowId(orderId) },
    error: attempted?.lastFailure ?? failed.failure,
    retryCount: attempted?.attempts ?? 1,
    firstFailedAt: attempted?.firstFailedAt.toISOString() ?? null,
    lastFailedAt: attempted?.lastFailedAt.toISOString() ?? null,
  });
}

/**
 * How long an uncaptured authorization lasts, counted from the start of the order's workflow, in ms;
 * null when there is none, or when a person captured it manually. Raw: arithmetic with times.
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
    WHERE o.id = ${orderId} AND p.status = 'authorized' AND p.amount_minor > 0
      AND NOT p.captured_manually`;
  return rows[0] ? Math.floor(rows[0].leftMs) : null;
}

export interface WaitingStep {
  readonly step: string;
  /** Failures since the last decision about the step. */
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

/** The steps that wait for a person, by our records; null when none does. Raw: a join without a relation. */
export async function findAttention(
  db: Transaction,
  orderId: OrderId,
): Promise<AttentionView | null> {
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
  const rows = await db.order.groupBy({
    by: ['attentionStep'],
    where: { status: 'needs_attention' },
    _count: { _all: true },
  });
  return rows.map(({ attentionStep, _count }) => ({
    step: attentionStep ?? '',
    orders: _count._all,
  }));
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
