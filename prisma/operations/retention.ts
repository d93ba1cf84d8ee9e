/** What keeps the log and what was noted about it from growing for ever. */
import type { Database } from '../client/client.ts';

/**
 * Deletes the oldest events of orders at rest once they are older than `days` and every subscription
 * has passed them; a paused subscription keeps what it has not had. An order that still moves, or
 * waits for a person, keeps its whole timeline however old it is: where it stands, since when it
 * waits and what has been told once is read there. At most `limit` per call. Returns how many.
 */
export async function purgeEvents(
  db: Database,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<number> {
  // Only the oldest rows are looked at: the log is in the order of time, near enough. Those that are
  // kept are passed over and not counted, so they are in nobody's way.
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
 * Forgets which events a consumer has had once the events are gone themselves: no rewind can bring
 * those back, so none can count twice. At most `limit` per call. Returns how many.
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
 * Forgets messages from outside that were acted on `days` ago: no sender repeats one that late. At
 * most `limit` per call. Returns how many.
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
