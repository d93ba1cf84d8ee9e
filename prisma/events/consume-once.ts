/** Exactly-once effects of at-least-once delivery: the event id is claimed in the work's transaction. */
import type { Database, Transaction } from '../client/client.ts';

/**
 * Runs `work` for the events that this consumer has not processed, in one transaction with their
 * claim. Claimed events are left out; when none is left, `work` is not called.
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
    // Raw: one SQL text for any number of events. Sorted, so that two batches cannot deadlock.
    const ids = given.events.map((event) => event.id);
    const claimed = await tx.$queryRaw<{ id: string }[]>`
      INSERT INTO consumed_events (consumer, event_id)
      SELECT ${consumer}, id::uuid FROM unnest(${ids}::text[]) AS id ORDER BY id
      ON CONFLICT DO NOTHING RETURNING event_id::text AS id`;
    const fresh = new Set(claimed.map((row) => row.id));
    if (fresh.size === 0) return;
    await given.work(
      tx,
      given.events.filter((event) => fresh.has(event.id)),
    );
  });
}
