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

/** The id of every event in the log. Throws when the database is unavailable. */
export async function readEventIds(db: Database): Promise<readonly string[]> {
  const rows = await db.$queryRaw<{ id: string }[]>`SELECT id::text FROM events`;
  return rows.map(({ id }) => id);
}
