/**
 * Steps that are being retried now, read from the rows that their failed attempts write. A row is
 * believed only while its order, refund or notification can still have that step to do, so that one which
 * a dead process left behind says nothing. Raw: conditions across tables without a relation.
 */
import { CHECKOUT_STEP, CHECKOUT_STEPS } from '../../domain/checkout-steps.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';

export interface RetriedStep {
  readonly step: string;
  /** Failures since the step's last success, or the last decision about it. */
  readonly attempts: number;
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
  /** The cause in words. */
  readonly lastFailure: string;
  /** In the past: the attempt is overdue, because no worker or no Temporal runs it. */
  readonly nextAttemptAt: string;
}

/** The statuses of an order in which each step of the checkout can have something to do. */
const STATUSES_OF_STEP = JSON.stringify(
  Object.fromEntries(
    CHECKOUT_STEPS.flatMap(({ name, stage, compensation }) => [
      [name, [stage.before]],
      // A cancel asks the warehouse before the order is cancelling.
      [compensation.name, [stage.after, 'cancelling']],
    ]),
  ),
);

/** Of `step_attempts a` and `orders o`. */
const IS_RETRIED = Prisma.sql`
  a.next_attempt_at IS NOT NULL AND CASE
    WHEN starts_with(a.step, 'refund: ') THEN EXISTS (
      SELECT FROM refunds r WHERE a.step = 'refund: ' || r.id AND r.settled_at IS NULL)
    -- Retried for a day. The confirmation of an order that is cancelled is given up.
    WHEN starts_with(a.step, 'notify: ') THEN a.last_failed_at > now() - interval '1 day'
      AND o.attention_step IS DISTINCT FROM ${CHECKOUT_STEP}
      AND (a.step <> 'notify: confirmed' OR o.status NOT IN ('cancelling', 'cancelled'))
    -- What is in no table of steps records something for the order while it moves.
    ELSE COALESCE((${STATUSES_OF_STEP}::jsonb -> a.step) ? o.status::text,
      o.status IN ('placed', 'reserved', 'paid', 'cancelling', 'needs_attention')) END`;

/** The order's steps that are being retried, the longest failing first. */
export async function findRetriedSteps(
  db: Transaction,
  orderId: OrderId,
): Promise<readonly RetriedStep[]> {
  const rows = await db.$queryRaw<(Omit<RetriedStep, Times> & Record<Times, Date>)[]>`
    SELECT a.step, a.attempts, a.first_failed_at AS "firstFailedAt",
      a.last_failed_at AS "lastFailedAt", a.last_failure AS "lastFailure",
      a.next_attempt_at AS "nextAttemptAt"
    FROM step_attempts a JOIN orders o ON o.id = a.order_id
    WHERE a.order_id = ${orderId} AND ${IS_RETRIED}
    ORDER BY a.first_failed_at, a.step`;
  return rows.map((row) => ({
    ...row,
    firstFailedAt: row.firstFailedAt.toISOString(),
    lastFailedAt: row.lastFailedAt.toISOString(),
    nextAttemptAt: row.nextAttemptAt.toISOString(),
  }));
}

type Times = 'firstFailedAt' | 'lastFailedAt' | 'nextAttemptAt';

/** A condition of `orders o`: one of its steps is being retried. */
export const HAS_RETRIED_STEP = Prisma.sql`
  EXISTS (SELECT FROM step_attempts a WHERE a.order_id = o.id AND ${IS_RETRIED})`;

/** OFFSET 0: each row's order is found by its id, and never by reading all orders. */
const EACH_ATTEMPT = Prisma.sql`step_attempts a, LATERAL (
  SELECT status, attention_step FROM orders WHERE id = a.order_id OFFSET 0) o`;

/** How many orders have a step that is being retried, and since when the longest failing one fails. */
export async function countRetriedOrders(
  db: Database,
): Promise<{ readonly retrying: number; readonly oldestRetryAt: string | null }> {
  const [row] = await db.$queryRaw<{ retrying: number; oldest: Date | null }[]>`
    SELECT count(DISTINCT a.order_id)::int AS retrying, min(a.first_failed_at) AS oldest
    FROM ${EACH_ATTEMPT} WHERE ${IS_RETRIED}`;
  return { retrying: row?.retrying ?? 0, oldestRetryAt: row?.oldest?.toISOString() ?? null };
}

/** How many of each step are being retried, and how long the longest failing one has failed. */
export async function countRetriedSteps(
  db: Database,
): Promise<
  readonly { readonly step: string; readonly count: number; readonly oldestSeconds: number }[]
> {
  // Refunds by what they have in common: each has a step of its own.
  return db.$queryRaw`
    SELECT regexp_replace(a.step, '[:/] *rfd_.*$', '') AS step, count(*)::int AS count,
      EXTRACT(epoch FROM now() - min(a.first_failed_at))::float8 AS "oldestSeconds"
    FROM ${EACH_ATTEMPT} WHERE ${IS_RETRIED}
    GROUP BY 1`;
}
