/**
 * Dead letters: work that failed permanently, its error, and the decision about it. One live dead
 * letter per subject; a repeated failure updates it. The message holds ids, never a person's data.
 * Decisions are raw SQL for the database's clock.
 */
import { isRefundId, type OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';
import type { Prisma } from '../generated/client.ts';
import type { DeadLetterSource, DeadLetterStatus } from '../generated/enums.ts';
import { newId } from '../client/ids.ts';
import { readObject, uncheckedColumn } from '../client/columns.ts';

export type { DeadLetterSource, DeadLetterStatus };

export interface DeadLetter {
  readonly id: string;
  readonly source: DeadLetterSource;
  /** The subscription, the checkout step, the notification or the refund that failed. */
  readonly subject: string;
  readonly orderId: OrderId | null;
  readonly eventId: string | null;
  readonly message: Readonly<Record<string, unknown>>;
  readonly error: string;
  /** Equal for failures of one cause, so that they can be redriven together. */
  readonly fingerprint: string;
  readonly retryCount: number;
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
  readonly status: DeadLetterStatus;
  readonly actor: string | null;
  readonly note: string | null;
  readonly decidedAt: string | null;
  readonly createdAt: string;
}

export type NewDeadLetter = Pick<
  DeadLetter,
  'source' | 'subject' | 'orderId' | 'eventId' | 'message' | 'error' | 'retryCount'
> & {
  /** Null: now. */
  readonly firstFailedAt: string | null;
  readonly lastFailedAt: string | null;
};

/** `subject` and the error without numbers, ids and quoted text. All refunds are one subject, all webhooks too. */
export function fingerprintOf(subject: string, error: string): string {
  const kind = isRefundId(subject) ? 'refund' : subject.replace(/^evt_.*$/s, 'webhook');
  const cause = error
    .replaceAll(/"[^"]*"|'[^']*'/g, '…')
    .replaceAll(/\b[a-z]{2,4}_[0-9a-z]{10,}\b|[0-9a-f]{8}-[0-9a-f-]{27}/gi, '…')
    .replaceAll(/\d+/g, 'N');
  return `${kind}: ${cause}`.slice(0, 200);
}

/**
 * Writes the dead letter, or updates the live one of the same subject and reopens it. A delivery counts
 * the attempts since its last dead letter, a step all of them, so a repeated call counts once. A
 * delivery with no attempt repeats one whose count was lost in a crash. Raw: the unique index is
 * partial and on expressions.
 */
export async function recordDeadLetter(tx: Transaction, deadLetter: NewDeadLetter): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO dead_letters (id, source, subject, order_id, event_id, message, error, fingerprint,
      retry_count, first_failed_at, last_failed_at)
    VALUES (${newId('deadLetter')}, ${deadLetter.source}, ${deadLetter.subject}, ${deadLetter.orderId},
      ${deadLetter.eventId}::uuid, ${JSON.stringify(deadLetter.message)}::jsonb, ${deadLetter.error},
      ${fingerprintOf(deadLetter.subject, deadLetter.error)}, ${Math.max(deadLetter.retryCount, 1)},
      COALESCE(${deadLetter.firstFailedAt}::timestamptz, now()),
      COALESCE(${deadLetter.lastFailedAt}::timestamptz, now()))
    ON CONFLICT (source, subject, COALESCE(order_id, ''), COALESCE(event_id::text, ''))
      WHERE status IN ('open', 'redriven')
    DO UPDATE SET status = 'open', error = EXCLUDED.error, fingerprint = EXCLUDED.fingerprint,
      message = dead_letters.message || EXCLUDED.message, last_failed_at = EXCLUDED.last_failed_at,
      reported_at = CASE
        WHEN dead_letters.status = 'open' AND dead_letters.fingerprint = EXCLUDED.fingerprint
        THEN dead_letters.reported_at END,
      retry_count = CASE
        WHEN EXCLUDED.source = 'delivery' AND EXCLUDED.last_failed_at > dead_letters.last_failed_at
        THEN dead_letters.retry_count + ${deadLetter.retryCount}::int
        ELSE GREATEST(dead_letters.retry_count, EXCLUDED.retry_count) END`;
}

/** The work succeeded after all: its live dead letter is resolved. */
export async function resolveDeadLetter(
  tx: Transaction,
  failed: Pick<DeadLetter, 'source' | 'subject' | 'orderId' | 'eventId'>,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE dead_letters SET status = 'resolved', decided_at = COALESCE(decided_at, now())
    WHERE source = ${failed.source} AND subject = ${failed.subject}
      AND COALESCE(order_id, '') = COALESCE(${failed.orderId}, '')
      AND COALESCE(event_id::text, '') = COALESCE(${failed.eventId}, '')
      AND status IN ('open', 'redriven')`;
}

/** Discards the live dead letters of a subscription that is being deleted. */
export async function discardDeliveries(
  tx: Transaction,
  subscription: string,
  by: { readonly actor: string; readonly note: string },
): Promise<void> {
  await tx.$executeRaw`
    UPDATE dead_letters SET status = 'discarded', actor = ${by.actor}, note = ${by.note},
      decided_at = now()
    WHERE source = 'delivery' AND subject = ${subscription} AND status IN ('open', 'redriven')`;
}

export interface DeadLetterFilter {
  readonly status?: DeadLetterStatus | undefined;
  readonly source?: DeadLetterSource | undefined;
  readonly subject?: string | undefined;
  readonly orderId?: string | undefined;
  readonly fingerprint?: string | undefined;
}

/** Newest first, one page after `startingAfter`. */
export async function listDeadLetters(
  db: Database,
  filter: DeadLetterFilter,
  page: { readonly limit: number; readonly startingAfter?: string | undefined },
): Promise<{ readonly deadLetters: readonly DeadLetter[]; readonly hasMore: boolean }> {
  const where = Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== undefined),
  );
  const rows = await db.deadLetter.findMany({
    where: { ...where, ...(page.startingAfter && { id: { lt: page.startingAfter } }) },
    orderBy: { id: 'desc' },
    take: page.limit + 1,
  });
  return {
    deadLetters: rows.slice(0, page.limit).map(toDeadLetter),
    hasMore: rows.length > page.limit,
  };
}

/** How many dead letters are open, by source. */
export async function countOpenDeadLetters(
  db: Database,
): Promise<Readonly<Record<DeadLetterSource, number>>> {
  const rows = await db.deadLetter.groupBy({
    by: ['source'],
    where: { status: 'open' },
    _count: { _all: true },
  });
  const counts = { delivery: 0, checkout: 0, notification: 0, refund: 0, webhook: 0 };
  for (const { source, _count } of rows) counts[source] = _count._all;
  return counts;
}

/** The dead letter, or null. */
export async function findDeadLetter(db: Database, id: string): Promise<DeadLetter | null> {
  const row = await db.deadLetter.findUnique({ where: { id } });
  return row && toDeadLetter(row);
}

/** Open dead letters of one cause, the longest undecided first, and their total. */
export async function listOpenOfCause(
  db: Database,
  fingerprint: string,
  limit: number,
): Promise<{ readonly ids: readonly string[]; readonly matching: number }> {
  const [ids, matching] = await Promise.all([
    selectOpen(db, { fingerprint }, limit),
    db.deadLetter.count({ where: { fingerprint, status: 'open' } }),
  ]);
  return { ids, matching };
}

/** The ids of open dead letters, the longest undecided first. */
export async function selectOpen(
  db: Database,
  { fingerprint, source }: Pick<DeadLetterFilter, 'fingerprint' | 'source'>,
  limit: number,
): Promise<readonly string[]> {
  const rows = await db.deadLetter.findMany({
    where: { ...(fingerprint && { fingerprint }), ...(source && { source }), status: 'open' },
    // Those whose last redrive failed come last, so that they never hide the others.
    orderBy: [{ decidedAt: { sort: 'asc', nulls: 'first' } }, { id: 'asc' }],
    take: limit,
    select: { id: true },
  });
  return rows.map(({ id }) => id);
}

/** The redrive of an open dead letter begins. False when it is no longer open. */
export async function markRedriven(
  tx: Transaction,
  id: string,
  { actor, note }: Decision,
): Promise<boolean> {
  const updated = await tx.$executeRaw`
    UPDATE dead_letters SET status = 'redriven', actor = ${actor}, note = ${note}, decided_at = now()
    WHERE id = ${id} AND status = 'open'`;
  return updated === 1;
}

/** Who decided, and why. */
export interface Decision {
  readonly actor: string;
  readonly note: string | null;
}

/** The redrive could not start: the dead letter is open again, unless it was resolved meanwhile. */
export async function reopenDeadLetter(db: Database, id: string): Promise<void> {
  await db.deadLetter.updateMany({ where: { id, status: 'redriven' }, data: { status: 'open' } });
}

/**
 * Reopens dead letters whose redrive had no outcome: started `olderThanMs` ago, neither resolved nor
 * failed since, e.g. because the process died. Returns how many.
 */
export async function reopenStale(
  db: Database,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<number> {
  return db.$executeRaw`
    UPDATE dead_letters SET status = 'open' WHERE id IN (
      SELECT id FROM dead_letters
      WHERE status = 'redriven' AND decided_at < now() - ${olderThanMs} * interval '1 ms'
      ORDER BY id LIMIT ${limit})
    AND status = 'redriven'`;
}

function toDeadLetter(row: Prisma.DeadLetterGetPayload<object>): DeadLetter {
  return {
    ...row,
    orderId: uncheckedColumn<OrderId>(row.orderId),
    message: readObject(row.message),
    firstFailedAt: row.firstFailedAt.toISOString(),
    lastFailedAt: row.lastFailedAt.toISOString(),
    decidedAt: row.decidedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}
