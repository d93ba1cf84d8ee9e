/** Messages from outside: stored before they are acknowledged, each (source, id) once. */
import type { OrderId } from '../../domain/ids.ts';
import type { Database } from '../client/client.ts';
import type { Prisma } from '../generated/client.ts';
import type { InboxSource } from '../generated/enums.ts';
import { trusted } from '../client/cast.ts';

export interface InboxMessage {
  readonly source: InboxSource;
  readonly id: string;
  readonly type: string;
  readonly orderId: OrderId | null;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Stores the message. `duplicate` when it is there already; then nothing is written. */
export async function storeMessage(
  db: Database,
  message: InboxMessage,
): Promise<'stored' | 'duplicate'> {
  const added = await db.inboxMessage.createMany({
    data: [{ ...message, payload: trusted<Prisma.InputJsonObject>(message.payload) }],
    skipDuplicates: true,
  });
  return added.count === 1 ? 'stored' : 'duplicate';
}

/** Messages nobody has acted on for `olderThanMs`, oldest first. */
export async function listUnprocessed(
  db: Database,
  asked: {
    readonly source: InboxMessage['source'];
    readonly olderThanMs: number;
    readonly limit: number;
  },
): Promise<readonly InboxMessage[]> {
  return db.$queryRaw<InboxMessage[]>`
    SELECT source, id, type, order_id AS "orderId", payload FROM inbox
    WHERE processed_at IS NULL AND source = ${asked.source}
      AND received_at < now() - ${asked.olderThanMs} * interval '1 ms'
    ORDER BY received_at LIMIT ${asked.limit}`;
}

/** True when the order's workflow has heard an answer to this shipping request before. */
export async function isAnswerDelivered(
  db: Database,
  asked: { readonly orderId: OrderId; readonly correlationId: string },
): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT 1 FROM inbox
    WHERE order_id = ${asked.orderId} AND outcome = 'delivered' AND source = 'warehouse'
      AND payload->>'correlationId' = ${asked.correlationId} LIMIT 1`;
  return rows.length > 0;
}

/** Remembers what came of the message. */
export async function markProcessed(
  db: Database,
  message: Pick<InboxMessage, 'source' | 'id'>,
  outcome: string,
): Promise<void> {
  await db.inboxMessage.updateMany({
    where: { source: message.source, id: message.id, processedAt: null },
    data: { processedAt: new Date(), outcome },
  });
}
