/**
 * The audit log: actor, action, subject, time and cause. Append-only, so it must never hold a
 * person's data: it could not be erased.
 */
import type { Database } from '../client/client.ts';
import { writeObject } from '../client/columns.ts';

export interface AuditEntry {
  /** One entry per event. */
  readonly eventId: string;
  /** `customer`, `system`, `operator`, or `operator/<API key>`. */
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly cause: string | null;
  readonly data: Readonly<Record<string, unknown>>;
  /** ISO 8601. */
  readonly at: string;
}

/** Writes the entries that are not there yet. */
export async function writeAudit(db: Database, entries: readonly AuditEntry[]): Promise<void> {
  await db.auditEntry.createMany({
    data: entries.map((entry) => ({ ...entry, data: writeObject(entry.data) })),
    skipDuplicates: true,
  });
}
