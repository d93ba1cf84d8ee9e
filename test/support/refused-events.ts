/** A real error of PostgreSQL's wherever an event of one type is written, and so its whole change. */
import type { Database } from '../../prisma/client/client.ts';
import type { EventType } from '../../domain/order.ts';

/** From here on the change that writes such an event fails with this SQLSTATE. */
export async function refuseEvents(db: Database, type: EventType, sqlstate: string): Promise<void> {
  await acceptEvents(db);
  await db.$executeRawUnsafe(`
    CREATE FUNCTION refuse_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'refused by a test' USING ERRCODE = '${sqlstate}';
    END $$`);
  await db.$executeRawUnsafe(`
    CREATE TRIGGER refuse_event BEFORE INSERT ON events FOR EACH ROW
    WHEN (NEW.type = '${type}') EXECUTE FUNCTION refuse_event()`);
}

/** Every change is accepted again. */
export async function acceptEvents(db: Database): Promise<void> {
  await db.$executeRaw`DROP TRIGGER IF EXISTS refuse_event ON events`;
  await db.$executeRaw`DROP FUNCTION IF EXISTS refuse_event`;
}
