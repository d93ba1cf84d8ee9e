/** Turns at-least-once into once where it counts: the event's id is taken in the work's own transaction. */
import type { Database, Transaction } from '../client/client.ts';

/**
 * Runs `work` for the events this consumer has not had yet, in one transaction with the note that it
 * has them now. Events already taken are left out; when none is left, nothing runs.
 */
export async function consumeOnce<E extends { readonly id: string }>(
  db: Database,
  consumer: string,
  given: {
    readonly events: readonly E[];
    readonly work: (tx: Transaction, fresh: readonly E[]) => Promise<void>;
  },
): Promise<void> {
  await db.$transaction(async (tx) => {
    // Taken in one order, so that two batches with the same events never wait for each other in a circle.
    const ids = given.events.map((event) => event.id);
    const taken = await tx.$queryRaw<{ id: string }[]>`
      INSERT INTO consumed_events (consumer, event_id)
      SELECT ${consumer}, id::uuid FROM unnest(${ids}::text[]) AS id ORDER BY id
      ON CONFLICT DO NOTHING RETURNING event_id::text AS id`;
    const fresh = new Set(taken.map((row) => row.id));
    if (fresh.size === 0) return;
    await given.work(
      tx,
      given.events.filter((event) => fresh.has(event.id)),
    );
  });
}
