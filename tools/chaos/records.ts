/** What a chaos run reads from the database itself. Everything else the audit checks. */
import type { Database } from '../../prisma/client/client.ts';

export interface OrderRecord {
  readonly id: string;
  readonly status: string;
  /** The step that waits for a person. */
  readonly attentionStep: string | null;
}

/** Every order. Throws when the database is unavailable. */
export async function readOrders(db: Database): Promise<readonly OrderRecord[]> {
  return db.$queryRaw<OrderRecord[]>`
    SELECT id, status, attention_step AS "attentionStep" FROM orders ORDER BY id`;
}

/** Ends the time to confirm the payments of these orders, as if their shoppers had been gone for long. */
export async function endWaits(db: Database, orderIds: readonly string[]): Promise<void> {
  await db.$executeRaw`
    UPDATE orders SET deadline_at = now()
    WHERE id = ANY (${[...orderIds]}::text[]) AND status = 'pending'`;
}

/** The id of every event in the log. Throws when the database is unavailable. */
export async function readEventIds(db: Database): Promise<readonly string[]> {
  const rows = await db.$queryRaw<{ id: string }[]>`SELECT id::text FROM events`;
  return rows.map(({ id }) => id);
}
