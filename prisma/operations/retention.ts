/** Deletes old events and messages. Raw: a DELETE with a LIMIT, by the database's clock. */
import type { Database } from '../client/client.ts';

/**
 * Deletes the oldest events of settled orders once they are older than `days` and every subscription has
 * passed them; a paused subscription keeps its unread ones. An order that still moves, or waits for a
 * person, keeps its whole timeline however old: its stage, the start of its wait and its deduplication
 * keys are read there. At most `limit` per call. Returns how many.
 */
export async function purgeEvents(
  db: Database,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<number> {
  // Only the oldest rows are read: the log is nearly in the order of time. Events of unsettled orders
  // do not count towards the limit, so they cannot block the deletion.
  return db.$executeRaw`
    DELETE FROM events WHERE position IN (
      SELECT e.position
      FROM (
        SELECT e.xid, e.position, e.time FROM events e JOIN orders o ON o.id = e.order_id
        WHERE o.status IN ('shipped', 'delivered', 'cancelled', 'declined', 'expired')
        ORDER BY e.xid, e.position LIMIT ${limit}) e
      WHERE e.time < now() - ${days} * interval '1 day'
        AND NOT EXISTS (
          SELECT 1 FROM subscriptions s
          WHERE (e.xid, e.position) > (s.cursor_xid, s.cursor_position)))`;
}

/**
 * Deletes the claims of consumers on deleted events: no rewind can deliver those again, so none can be
 * processed twice. At most `limit` per call. Returns how many.
 */
export async function purgeConsumedEvents(
  db: Database,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<number> {
  return db.$executeRaw`
    DELETE FROM consumed_events WHERE (consumer, event_id) IN (
      SELECT c.consumer, c.event_id FROM consumed_events c
      WHERE c.consumed_at < now() - ${days} * interval '1 day'
        AND NOT EXISTS (SELECT 1 FROM events e WHERE e.id = c.event_id)
      LIMIT ${limit})`;
}

/**
 * Deletes messages that were processed `days` ago: no provider redelivers one that late. At most
 * `limit` per call. Returns how many.
 */
export async function purgeInboxMessages(
  db: Database,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<number> {
  return db.$executeRaw`
    DELETE FROM inbox WHERE (source, id) IN (
      SELECT source, id FROM inbox WHERE processed_at < now() - ${days} * interval '1 day'
      ORDER BY processed_at LIMIT ${limit})`;
}
