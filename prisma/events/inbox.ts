/**
 * Messages from providers: stored before they are acknowledged, each (source, id) once. What is genuine
 * is kept whole, unless all of it was understood.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';
import type { InboxSource } from '../generated/enums.ts';
import { recordDeadLetter, resolveDeadLetter } from './dead-letters.ts';

export interface InboxMessage {
  readonly source: InboxSource;
  readonly id: string;
  readonly type: string;
  readonly orderId: OrderId | null;
  /** What was understood. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The type of a message that names none. */
export const UNRECOGNIZED_TYPE = 'unrecognized';

/** Outcomes of messages whose content is all in our records: their bytes are not kept. */
const UNDERSTOOD: readonly string[] = [
  'delivered',
  'repeated',
  'late',
  'confirmed',
  'requested',
  'handled',
];

/** Stores the message with its bytes. `duplicate`: it was stored before, and nothing is written. */
export async function storeMessage(
  db: Database,
  { source, id, type, orderId, payload }: InboxMessage,
  body: Uint8Array<ArrayBuffer> | null = null,
): Promise<'stored' | 'duplicate'> {
  const added = await db.$executeRaw`
    INSERT INTO inbox (source, id, type, order_id, payload, body)
    VALUES (${source}, ${id}, ${type}, ${orderId}, ${JSON.stringify(payload)}::jsonb, ${body})
    ON CONFLICT DO NOTHING`;
  return added === 1 ? 'stored' : 'duplicate';
}

/**
 * Messages that have been unprocessed for `olderThanMs`, the longest untried first (`markTried`), so
 * that those that cannot be processed never hide the others. Raw for the database's clock.
 */
export async function listUnprocessed(
  db: Database,
  filter: {
    readonly source: InboxMessage['source'];
    readonly olderThanMs: number;
    readonly limit: number;
    /** Each is listed again after a fifth of the time that it was tried for, at most ten minutes. */
    readonly isSpaced?: boolean;
  },
): Promise<readonly InboxMessage[]> {
  return db.$queryRaw<InboxMessage[]>`
    SELECT source, id, type, order_id AS "orderId", payload FROM inbox
    WHERE processed_at IS NULL AND source = ${filter.source}
      AND received_at < now() - ${filter.olderThanMs} * interval '1 ms'
      AND (${filter.isSpaced !== true} OR tried_at IS NULL
        OR tried_at < now() - least((tried_at - received_at) / 5, interval '10 min'))
    ORDER BY tried_at NULLS FIRST, received_at LIMIT ${filter.limit}`;
}

/** Records that processing the messages is tried now. */
export async function markTried(
  db: Database,
  source: InboxMessage['source'],
  ids: readonly string[],
): Promise<void> {
  await db.$executeRaw`
    UPDATE inbox SET tried_at = now() WHERE source = ${source} AND id = ANY (${[...ids]}::text[])`;
}

/** What a transaction has time for; the next pass takes the next ones. */
const MAX_DEAD_LETTERED = 100;

/** Closes messages that could not be handled within `afterMs`, as dead letters, the oldest first. Returns them. */
export async function deadLetterMessages(
  db: Database,
  { source, afterMs, error }: { source: InboxSource; afterMs: number; error: string },
): Promise<readonly InboxMessage[]> {
  return db.$transaction(async (tx) => {
    const old = await tx.$queryRaw<{ id: string }[]>`
      SELECT id FROM inbox WHERE processed_at IS NULL AND source = ${source}
        AND received_at < now() - ${afterMs} * interval '1 ms'
      ORDER BY received_at LIMIT ${MAX_DEAD_LETTERED}`;
    const ids = old.map(({ id }) => id);
    const given = await closeMessages(tx, { source, ids }, 'dead_lettered');
    for (const { id, type, orderId, payload, receivedAt } of given) {
      await recordDeadLetter(tx, {
        source: 'webhook',
        subject: id,
        orderId,
        eventId: null,
        message: { type, object: payload['object'] ?? null },
        error: `${type}: ${error}`,
        retryCount: 1,
        firstFailedAt: receivedAt.toISOString(),
        lastFailedAt: null,
      });
    }
    return given;
  });
}

/** A dead-lettered message is open again, as if it had come now. False: it is not kept any more. */
export async function reopenMessage(
  db: Database,
  source: InboxSource,
  id: string,
): Promise<boolean> {
  const reopened = await db.$executeRaw`
    UPDATE inbox SET processed_at = NULL, outcome = NULL, tried_at = NULL, received_at = now()
    WHERE source = ${source} AND id = ${id} AND outcome = 'dead_lettered'`;
  return reopened === 1;
}

/** The message was handled: its live dead letter is resolved. */
export async function resolveMessage(
  db: Database,
  { id, orderId }: Pick<InboxMessage, 'id' | 'orderId'>,
): Promise<void> {
  await resolveDeadLetter(db, { source: 'webhook', subject: id, orderId, eventId: null });
}

/**
 * True when the order's workflow received an answer to this shipping request before. Raw: the literal
 * outcome lets PostgreSQL use the partial index.
 */
export async function isAnswerDelivered(
  db: Database,
  filter: { readonly orderId: OrderId; readonly correlationId: string },
): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT 1 FROM inbox
    WHERE order_id = ${filter.orderId} AND outcome = 'delivered' AND source = 'warehouse'
      AND payload->>'correlationId' = ${filter.correlationId} LIMIT 1`;
  return rows.length > 0;
}

/** True when an earlier message that was not understood has made the order's workflow look it up. */
export async function isLookUpRequested(db: Database, orderId: OrderId): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT 1 FROM inbox
    WHERE order_id = ${orderId} AND outcome = 'looked_up' AND source = 'warehouse' LIMIT 1`;
  return rows.length > 0;
}

/** Records the outcome of messages, once. */
export async function markProcessed(
  db: Database,
  messages: { readonly source: InboxMessage['source']; readonly ids: readonly string[] },
  outcome: string,
): Promise<void> {
  await closeMessages(db, messages, outcome);
}

/**
 * About an erased order nothing else is kept. The lock on the order excludes an erasure at the same time: it
 * is seen here, or sees the message as processed. Returns those that were open. Raw for the database's clock.
 */
async function closeMessages(
  tx: Transaction,
  { source, ids }: { readonly source: InboxMessage['source']; readonly ids: readonly string[] },
  outcome: string,
): Promise<readonly (InboxMessage & { readonly receivedAt: Date })[]> {
  return tx.$queryRaw`
    WITH given AS MATERIALIZED (
      SELECT id, order_id FROM inbox
      WHERE source = ${source} AND id = ANY (${[...ids]}::text[]) AND processed_at IS NULL),
    locked AS MATERIALIZED (
      SELECT id, erased_at FROM orders WHERE id IN (SELECT order_id FROM given)
      ORDER BY id FOR SHARE),
    about AS (
      SELECT given.id, locked.erased_at IS NOT NULL AS is_erased
      FROM given LEFT JOIN locked ON locked.id = given.order_id)
    UPDATE inbox SET processed_at = now(), outcome = ${outcome},
      payload = CASE WHEN is_erased THEN '{}' ELSE payload END,
      body = CASE WHEN is_erased OR ${UNDERSTOOD.includes(outcome)} THEN NULL ELSE body END
    FROM about
    WHERE source = ${source} AND inbox.id = about.id AND processed_at IS NULL
    RETURNING source, inbox.id, type, order_id AS "orderId", payload, received_at AS "receivedAt"`;
}
