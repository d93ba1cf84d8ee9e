/** Dead letters that the log does not have yet. Raw: one statement that marks and returns them. */
import type { OrderId } from '../../domain/ids.ts';
import type { Database } from '../client/client.ts';
import type { DeadLetterSource } from './dead-letters.ts';

export interface UnreportedDeadLetter {
  readonly id: string;
  readonly source: DeadLetterSource;
  readonly subject: string;
  readonly orderId: OrderId | null;
  readonly error: string;
  readonly fingerprint: string;
  readonly retryCount: number;
  /** No other dead letter of this cause was reported and waits still. */
  readonly isNewCause: boolean;
}

/** One process at a time decides what is new. */
const LOCK = 'dead letters are reported';

/**
 * Marks the oldest unreported dead letters as reported, and returns them. At most `limit`; none while
 * another process does the same.
 */
export async function takeUnreported(
  db: Database,
  limit: number,
): Promise<readonly UnreportedDeadLetter[]> {
  const waiting = await db.$queryRaw<unknown[]>`
    SELECT FROM dead_letters WHERE status = 'open' AND reported_at IS NULL LIMIT 1`;
  if (waiting.length === 0) return [];
  return db.$transaction(async (tx) => {
    const [lock] = await tx.$queryRaw<{ isLocked: boolean }[]>`
      SELECT pg_try_advisory_xact_lock(hashtextextended(${LOCK}, 0)) AS "isLocked"`;
    if (lock?.isLocked !== true) return [];
    // A statement of its own: it sees what the last holder of the lock has marked.
    const taken = await tx.$queryRaw<UnreportedDeadLetter[]>`
      UPDATE dead_letters d SET reported_at = now() WHERE d.id IN (
        SELECT id FROM dead_letters WHERE status = 'open' AND reported_at IS NULL
        ORDER BY id LIMIT ${limit})
      RETURNING d.id, d.source, d.subject, d.order_id AS "orderId", d.error, d.fingerprint,
        d.retry_count AS "retryCount", NOT EXISTS (
          SELECT FROM dead_letters known WHERE known.fingerprint = d.fingerprint
            AND known.status IN ('open', 'redriven') AND known.reported_at IS NOT NULL) AS "isNewCause"`;
    return onePerCause(taken.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
  });
}

/** Of several with one new cause, the first. */
function onePerCause(taken: readonly UnreportedDeadLetter[]): readonly UnreportedDeadLetter[] {
  const seen = new Set<string>();
  return taken.map((each) => {
    const isNewCause = each.isNewCause && !seen.has(each.fingerprint);
    seen.add(each.fingerprint);
    return { ...each, isNewCause };
  });
}
