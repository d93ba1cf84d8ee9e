/**
 * Deletes what is older than its retention period, the oldest first: a call reads the rows that it deletes
 * and not those that are kept, however many. Raw: a DELETE with a LIMIT, by the database's clock.
 */
import type { Database } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';

/** Nothing about the order `o` moves any more. Literals, so that PostgreSQL can choose an index by them. */
const IS_SETTLED = Prisma.sql`
  o.status IN ('shipped', 'delivered', 'cancelled', 'declined', 'expired')`;

/** Days, and rows per call. */
interface Purge {
  readonly days: number;
  readonly limit: number;
}

/** Deletes Idempotency-Keys that were first sent `days` ago. At most `limit` per call. Returns how many. */
export async function purgeKeys(db: Database, { days, limit }: Purge): Promise<number> {
  return db.$executeRaw`
    DELETE FROM idempotency_keys WHERE (api_key_id, scope, key) IN (
      SELECT api_key_id, scope, key FROM idempotency_keys
      WHERE created_at < now() - ${days} * interval '1 day' ORDER BY created_at LIMIT ${limit})`;
}

/**
 * Deletes the oldest events of settled orders once they are older than `days` and every subscription has
 * passed them, and the webhook attempts on them, which name their order no more; a paused subscription keeps its unread ones. An order that still moves, or waits for a
 * person, keeps its whole timeline however old: its stage, the start of its wait and its deduplication
 * keys are read there. At most `limit` per call. Returns how many.
 */
export async function purgeEvents(db: Database, { days, limit }: Purge): Promise<number> {
  // Only the oldest rows are read: the log is nearly in the order of time. Events of unsettled orders
  // do not count towards the limit, so they cannot block the deletion.
  const rows = await db.$queryRaw<{ purged: number }[]>`
    WITH purged AS (DELETE FROM events WHERE position IN (
      SELECT e.position
      FROM (
        SELECT e.xid, e.position, e.time FROM events e JOIN orders o ON o.id = e.order_id
        WHERE ${IS_SETTLED}
        ORDER BY e.xid, e.position LIMIT ${limit}) e
      WHERE e.time < now() - ${days} * interval '1 day'
        AND NOT EXISTS (
          SELECT 1 FROM subscriptions s
          WHERE (e.xid, e.position) > (s.cursor_xid, s.cursor_position)))
      RETURNING id),
    attempts AS (DELETE FROM webhook_attempts WHERE event_id IN (SELECT id FROM purged))
    SELECT count(*)::int AS purged FROM purged`;
  return rows[0]?.purged ?? 0;
}

/**
 * Deletes the claims of consumers on deleted events: no rewind can deliver those again, so none can be
 * processed twice. At most `limit` per call. Returns how many.
 */
export async function purgeConsumedEvents(db: Database, { days, limit }: Purge): Promise<number> {
  // Not as NOT EXISTS, which PostgreSQL may answer by reading the whole log.
  return db.$executeRaw`
    DELETE FROM consumed_events WHERE (consumer, event_id) IN (
      SELECT c.consumer, c.event_id FROM consumed_events c
      WHERE c.consumed_at < now() - ${days} * interval '1 day'
        AND (SELECT e.position FROM events e WHERE e.id = c.event_id) IS NULL
      ORDER BY c.consumed_at LIMIT ${limit})`;
}

/**
 * Deletes messages that were processed `days` ago: no provider redelivers one that late. At most
 * `limit` per call. Returns how many.
 */
export async function purgeInboxMessages(db: Database, { days, limit }: Purge): Promise<number> {
  return db.$executeRaw`
    DELETE FROM inbox WHERE (source, id) IN (
      SELECT source, id FROM inbox WHERE processed_at < now() - ${days} * interval '1 day'
      ORDER BY processed_at LIMIT ${limit})`;
}

/**
 * Deletes dead letters that were closed `days` ago. Kept while an invariant or a view reads them: while
 * their event is kept, and while their order or refund is not settled. At most `limit` per call. Returns
 * how many.
 */
export async function purgeDeadLetters(db: Database, { days, limit }: Purge): Promise<number> {
  return db.$executeRaw`
    DELETE FROM dead_letters WHERE id IN (
      SELECT d.id FROM dead_letters d
      WHERE d.status IN ('resolved', 'discarded')
        AND d.decided_at < now() - ${days} * interval '1 day'
        AND (SELECT e.position FROM events e WHERE e.id = d.event_id) IS NULL
        AND COALESCE((SELECT ${IS_SETTLED} FROM orders o WHERE o.id = d.order_id), true)
        AND NOT EXISTS (SELECT FROM refunds r WHERE d.source = 'refund' AND r.id = d.subject
          AND r.status IN ('requested', 'pending', 'requires_action', 'needs_attention'))
      ORDER BY d.decided_at LIMIT ${limit})`;
}

/**
 * Deletes quotes that expired `days` ago: until then an order is refused with what has changed since.
 * At most `limit` per call. Returns how many.
 */
export async function purgeQuotes(db: Database, { days, limit }: Purge): Promise<number> {
  return db.$executeRaw`
    DELETE FROM quotes WHERE id IN (
      SELECT id FROM quotes WHERE expires_at < now() - ${days} * interval '1 day'
      ORDER BY expires_at LIMIT ${limit})`;
}

/** Deletes bulk redrives that were last written `days` ago. At most `limit` per call. Returns how many. */
export async function purgeRedrives(db: Database, { days, limit }: Purge): Promise<number> {
  return db.$executeRaw`
    DELETE FROM redrives WHERE id IN (
      SELECT id FROM redrives WHERE updated_at < now() - ${days} * interval '1 day'
      ORDER BY updated_at LIMIT ${limit})`;
}

/** Deletes attempts at steps of settled orders after `days`. At most `limit` per call. Returns how many. */
export async function purgeStepAttempts(db: Database, { days, limit }: Purge): Promise<number> {
  return db.$executeRaw`
    DELETE FROM step_attempts WHERE (order_id, step) IN (
      SELECT a.order_id, a.step FROM step_attempts a JOIN orders o ON o.id = a.order_id
      WHERE a.last_failed_at < now() - ${days} * interval '1 day'
        AND ${IS_SETTLED}
      ORDER BY a.last_failed_at LIMIT ${limit})`;
}

/** Deletes batches of the warehouse feed after `days`. At most `limit` per call. Returns how many. */
export async function purgeFeedBatches(db: Database, { days, limit }: Purge): Promise<number> {
  return db.$executeRaw`
    DELETE FROM warehouse_feed_batches WHERE id IN (
      SELECT id FROM warehouse_feed_batches
      WHERE created_at < now() - ${days} * interval '1 day' ORDER BY created_at LIMIT ${limit})`;
}

/**
 * Deletes discrepancies resolved `days` ago, and runs that ended as long ago and that none names any
 * more. At most `limit` of each per call. Returns how many.
 */
export async function purgeReconciliations(db: Database, { days, limit }: Purge): Promise<number> {
  const discrepancies = await db.$executeRaw`
    DELETE FROM reconciliation_discrepancies WHERE id IN (
      SELECT id FROM reconciliation_discrepancies
      WHERE resolved_at < now() - ${days} * interval '1 day' LIMIT ${limit})`;
  const runs = await db.$executeRaw`
    DELETE FROM reconciliations WHERE id IN (
      SELECT r.id FROM reconciliations r
      WHERE r.finished_at < now() - ${days} * interval '1 day' AND NOT EXISTS (
        SELECT FROM reconciliation_discrepancies d
        WHERE r.id IN (d.first_run_id, d.last_run_id, d.resolved_run_id))
      LIMIT ${limit})`;
  return Math.max(discrepancies, runs);
}

/**
 * Deletes what jobs read and wrote that ended `days` ago, then the jobs themselves. At most `limit` of each
 * per call. Returns how many.
 */
export async function purgeJobs(db: Database, { days, limit }: Purge): Promise<number> {
  const chunks = await db.$executeRaw`
    DELETE FROM job_chunks WHERE (job_id, stream, seq) IN (
      SELECT c.job_id, c.stream, c.seq FROM jobs j JOIN job_chunks c ON c.job_id = j.id
      WHERE j.finished_at < now() - ${days} * interval '1 day' LIMIT ${limit})`;
  const jobs = await db.$executeRaw`
    DELETE FROM jobs WHERE id IN (
      SELECT j.id FROM jobs j
      WHERE j.finished_at < now() - ${days} * interval '1 day'
        AND NOT EXISTS (SELECT FROM job_chunks c WHERE c.job_id = j.id)
      ORDER BY j.finished_at LIMIT ${limit})`;
  return Math.max(chunks, jobs);
}
