/**
 * Which events an endpoint wants: recorded by transaction number when it changes, so that an event is
 * judged by the settings of its own time. Raw SQL, because Prisma does not know xid8.
 */
import { EVENT_TYPES, type EventType } from '../../domain/order.ts';
import { webhookSubscription } from '../../domain/webhook.ts';
import type { Database, Transaction } from '../client/client.ts';

/**
 * Ends the types that the endpoint does not want any more and begins those that are new, both at this
 * transaction.
 */
export async function recordWantedTypes(tx: Transaction, id: string): Promise<void> {
  await tx.$executeRaw`
    WITH wanted AS (
      SELECT unnest(CASE WHEN status = 'disabled' THEN '{}'
        WHEN types = '{}' THEN ${[...EVENT_TYPES]}::text[] ELSE types END) AS type
      FROM webhook_endpoints WHERE id = ${id}
    ), ended AS (
      UPDATE webhook_wanted_types SET until_xid = pg_current_xact_id()
      WHERE endpoint_id = ${id} AND until_xid IS NULL AND type NOT IN (SELECT type FROM wanted)
    )
    INSERT INTO webhook_wanted_types (endpoint_id, type)
    SELECT DISTINCT ${id}, type FROM wanted WHERE type NOT IN (
      SELECT type FROM webhook_wanted_types WHERE endpoint_id = ${id} AND until_xid IS NULL)`;
}

/**
 * The event types that the endpoint's pump reads: those it wants now, and those it wanted at some place
 * after its cursor. Empty: every type. Null when no such endpoint exists.
 */
export async function findTypesToRead(
  db: Database,
  id: string,
): Promise<readonly EventType[] | null> {
  const [row] = await db.$queryRaw<{ types: EventType[] }[]>`
    SELECT CASE WHEN w.types = '{}' THEN w.types ELSE w.types || ARRAY(
      SELECT DISTINCT x.type FROM webhook_wanted_types x
      JOIN subscriptions s ON s.name = ${webhookSubscription(id)}
      WHERE x.endpoint_id = w.id AND x.until_xid > s.cursor_xid AND x.type <> ALL (w.types)
    ) END AS types
    FROM webhook_endpoints w WHERE w.id = ${id}`;
  return row?.types ?? null;
}

/**
 * Those of the events that the endpoint has to receive, or else to have a dead letter for: whatever it
 * wants now, and whatever it wanted when the event was written. A disabled endpoint wants nothing now,
 * and what it accepted before is done.
 */
export async function findWantedEvents(
  db: Database,
  id: string,
  eventIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db.$queryRaw<{ id: string }[]>`
    SELECT e.id::text FROM webhook_endpoints w JOIN events e ON e.id = ANY (${[...eventIds]}::uuid[])
    WHERE w.id = ${id} AND (
      (w.status = 'enabled' AND (w.types = '{}' OR e.type = ANY (w.types)))
      OR (EXISTS (
        SELECT FROM webhook_wanted_types x WHERE x.endpoint_id = w.id AND x.type = e.type
          AND e.xid >= x.from_xid AND e.xid < x.until_xid)
        AND NOT (w.status = 'disabled' AND EXISTS (
          SELECT FROM webhook_attempts a
          WHERE a.endpoint_id = w.id AND a.event_id = e.id AND a.outcome = 'delivered'))))`;
  return new Set(rows.map((row) => row.id));
}

/** Keeps the endpoint from being deleted until the transaction ends. False when there is none. */
export async function lockEndpoint(tx: Transaction, id: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM webhook_endpoints WHERE id = ${id} FOR KEY SHARE`;
  return rows.length === 1;
}

/** Deletes what endpoints wanted of events that are all deleted. Returns how many. */
export async function purgeWantedTypes(db: Database): Promise<number> {
  return db.$executeRaw`
    DELETE FROM webhook_wanted_types WHERE until_xid <= (SELECT min(xid) FROM events)`;
}
