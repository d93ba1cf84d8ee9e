/** Open dead letters of one cause: how many there are, and what an operator discards. */
import type { OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import type { DeadLetterSource } from '../generated/enums.ts';
import type { Decision } from './dead-letters.ts';

export interface DeadLetterGroup {
  readonly fingerprint: string;
  /** Of the newest one. */
  readonly source: DeadLetterSource;
  readonly subject: string;
  readonly error: string;
  readonly open: number;
  readonly firstFailedAt: Date;
  readonly lastFailedAt: Date;
  /** The newest ones. */
  readonly samples: readonly { readonly id: string; readonly orderId: OrderId | null }[];
}

const SAMPLES = 3;

/** The causes of open dead letters, the one with most of them first. Raw: groups with their newest rows. */
export async function listGroups(
  db: Database,
  limit: number,
): Promise<{ readonly groups: readonly DeadLetterGroup[]; readonly hasMore: boolean }> {
  const groups = await db.$queryRaw<DeadLetterGroup[]>(groupsQuery(limit + 1));
  return { groups: groups.slice(0, limit), hasMore: groups.length > limit };
}

/** At most `limit` groups. */
export function groupsQuery(limit: number): Prisma.Sql {
  return Prisma.sql`
    SELECT cause.fingerprint, newest.source, newest.subject, newest.error, cause.open,
      cause.first_failed_at AS "firstFailedAt", cause.last_failed_at AS "lastFailedAt", (
        SELECT jsonb_agg(jsonb_build_object('id', s.id, 'orderId', s.order_id) ORDER BY s.id DESC)
        FROM (SELECT id, order_id FROM dead_letters
          WHERE status = 'open' AND fingerprint = cause.fingerprint
          ORDER BY id DESC LIMIT ${SAMPLES}) s) AS samples
    FROM (
      SELECT fingerprint, count(*)::int AS open, min(first_failed_at) AS first_failed_at,
        max(last_failed_at) AS last_failed_at, max(id) AS newest_id
      FROM dead_letters WHERE status = 'open'
      GROUP BY fingerprint ORDER BY count(*) DESC, fingerprint LIMIT ${limit}) cause
    JOIN dead_letters newest ON newest.id = cause.newest_id
    ORDER BY cause.open DESC, cause.fingerprint`;
}

/** One dead letter, or all open ones of a cause. */
export type Discarded = { readonly id: string } | { readonly fingerprint: string };

export interface DiscardCounts {
  /** The open ones. */
  readonly matching: number;
  /** Those of them about which an order or a refund waits for a decision: they stay. */
  readonly refused: number;
}

/** How many a discard would find. */
export async function countDiscardable(db: Database, which: Discarded): Promise<DiscardCounts> {
  const [counts] = await db.$queryRaw<DiscardCounts[]>`
    SELECT count(*)::int AS matching, (count(*) FILTER (WHERE ${IS_AWAITED}))::int AS refused
    FROM dead_letters d WHERE d.status = 'open' AND ${matches(which)}`;
  return counts ?? { matching: 0, refused: 0 };
}

/**
 * Discards open dead letters, at most `limit`, the oldest first. One about which an order or a refund
 * waits for a decision stays open: without it the order or the refund would wait for ever.
 */
export async function discardOpen(
  tx: Transaction,
  which: Discarded,
  { actor, note, limit }: Decision & { readonly limit: number },
): Promise<readonly string[]> {
  const rows = await tx.$queryRaw<{ id: string }[]>`
    UPDATE dead_letters SET status = 'discarded', actor = ${actor}, note = ${note}, decided_at = now()
    WHERE status = 'open' AND id IN (
      SELECT d.id FROM dead_letters d
      WHERE d.status = 'open' AND ${matches(which)} AND NOT ${IS_AWAITED}
      ORDER BY d.id LIMIT ${limit} FOR UPDATE)
    RETURNING id`;
  return rows.map(({ id }) => id);
}

function matches(which: Discarded): Prisma.Sql {
  return 'id' in which
    ? Prisma.sql`d.id = ${which.id}`
    : Prisma.sql`d.fingerprint = ${which.fingerprint}`;
}

/** An order waits for a decision about the step of `d`, or the refund of `d` waits for one. */
const IS_AWAITED = Prisma.sql`(
  (d.source = 'checkout' AND EXISTS (
    SELECT FROM orders o WHERE o.id = d.order_id AND o.status = 'needs_attention'
      AND d.subject = ANY(string_to_array(o.attention_step, ', '))))
  OR (d.source = 'refund' AND EXISTS (
    SELECT FROM refunds r WHERE r.id = d.subject AND r.status = 'needs_attention')))`;
