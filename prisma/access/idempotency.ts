/**
 * Idempotency keys (draft-ietf-httpapi-idempotency-key-header). A key is claimed in the transaction
 * of the work it protects, under a lease: a crashed claim is taken over when the lease ends. Claims
 * are raw SQL for the database's clock and ON CONFLICT.
 */
import { ERASED } from '../../domain/erasure.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';
import { uncheckedColumn } from '../client/columns.ts';
import { Prisma } from '../generated/client.ts';

/** The API key that sent the key, the call it is for, and a digest of the request. */
export interface KeyClaim {
  readonly apiKeyId: string;
  readonly scope: string;
  readonly key: string;
  readonly fingerprint: string;
}

/** The response as it was sent, byte for byte. */
export interface StoredResponse {
  readonly status: number;
  readonly body: string;
}

export type KeyState =
  | { readonly kind: 'free' }
  | { readonly kind: 'other_request' }
  | {
      readonly kind: 'completed';
      readonly orderId: OrderId | null;
      readonly response: StoredResponse;
    }
  | { readonly kind: 'in_flight' }
  /** The first attempt stopped half-way; its order can be continued. */
  | { readonly kind: 'abandoned'; readonly orderId: OrderId };

/**
 * How long a retry assumes that a silent attempt still runs. It saves work and protects nothing: both
 * attempts have one provider key, and the order's lock lets one of them settle. So it may be shorter
 * than the path with every deadline used up: transaction 5 s, authorize 2 s, look-up 1 s,
 * connection 3 s, transaction 5 s.
 */
const LEASE_MS = 8_000;

/** Rolls the work back when another request was first with the key. */
export class KeyTakenError extends Error {
  override readonly name = 'KeyTakenError';
}

/**
 * The INSERT that claims a free key. It returns the order's id, or nothing when the key is held. It waits
 * for a concurrent claim to commit.
 */
export function keyClaimed(claim: KeyClaim & { readonly orderId: OrderId }): Prisma.Sql {
  return Prisma.sql`
    INSERT INTO idempotency_keys
      (api_key_id, scope, key, fingerprint, order_id, state, lease_until)
    VALUES (${claim.apiKeyId}, ${claim.scope}, ${claim.key}, ${claim.fingerprint}, ${claim.orderId},
      'running', now() + ${LEASE_MS} * interval '1 ms')
    ON CONFLICT DO NOTHING RETURNING order_id`;
}

/** The state of a key. `abandoned` has also taken the lease: the caller must continue the order. */
export async function readKeyState(db: Database, claim: KeyClaim): Promise<KeyState> {
  const { apiKeyId, scope, key } = claim;
  const row = await db.idempotencyKey.findUnique({
    where: { apiKeyId_scope_key: { apiKeyId, scope, key } },
  });
  if (!row) return { kind: 'free' };
  if (row.fingerprint !== claim.fingerprint) return { kind: 'other_request' };
  const orderId = uncheckedColumn<OrderId>(row.orderId);
  if (row.status !== null && row.body !== null) {
    return { kind: 'completed', orderId, response: { status: row.status, body: row.body } };
  }
  const taken = await db.$executeRaw`
    UPDATE idempotency_keys SET lease_until = now() + ${LEASE_MS} * interval '1 ms'
    WHERE api_key_id = ${apiKeyId} AND scope = ${scope} AND key = ${key}
      AND state = 'running' AND lease_until < now()`;
  return taken === 1 && orderId !== null ? { kind: 'abandoned', orderId } : { kind: 'in_flight' };
}

/** Ends the lease early, so that the client's next attempt continues at once. */
export async function releaseKey(db: Database, claim: KeyClaim): Promise<void> {
  await db.$executeRaw`
    UPDATE idempotency_keys SET lease_until = now() - interval '1 ms'
    WHERE api_key_id = ${claim.apiKeyId} AND scope = ${claim.scope} AND key = ${claim.key}
      AND state = 'running'`;
}

/** The same for the key of the order in `moved`: a CTE. */
export function keyReleased(): Prisma.Sql {
  return Prisma.sql`, with_key AS (
      UPDATE idempotency_keys SET lease_until = now() - interval '1 ms'
      FROM moved WHERE order_id = moved.id AND state = 'running')`;
}

/** The response that settled the order; null: it is not settled, or its key is not kept any more, or erased. */
export async function findStoredResponse(
  db: Database,
  orderId: OrderId,
): Promise<StoredResponse | null> {
  const row = await db.idempotencyKey.findFirst({
    where: { orderId, state: 'done', fingerprint: { not: ERASED } },
  });
  if (row === null || row.status === null || row.body === null) return null;
  return { status: row.status, body: row.body };
}

/** Frees the key of work that left nothing behind. */
export async function deleteRunningKey(tx: Transaction, claim: KeyClaim): Promise<void> {
  const { apiKeyId, scope, key } = claim;
  await tx.idempotencyKey.deleteMany({ where: { apiKeyId, scope, key, state: 'running' } });
}

/** Stands in a response for the time at which `moved` changed the order, which is known after the change. */
export const TIME_OF_CHANGE = 'b7c1f0de-time-of-change-5a4e9d3c';

/** Stores the response of the order in `moved`: a CTE of the statement that settles the order. */
export function responseStored({ status, body }: StoredResponse): Prisma.Sql {
  return Prisma.sql`, with_response AS (
      UPDATE idempotency_keys SET state = 'done', status = ${status},
        body = replace(${body}, ${TIME_OF_CHANGE}, to_char(
          moved.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
      FROM moved WHERE order_id = moved.id AND state = 'running')`;
}

/** Stores the response that settled the order. The first one is kept. */
export async function storeResponse(
  tx: Transaction,
  orderId: OrderId,
  response: StoredResponse,
): Promise<void> {
  const { status, body } = response;
  await tx.idempotencyKey.updateMany({
    where: { orderId, state: 'running' },
    data: { state: 'done', status, body },
  });
}

/**
 * Claims a key and stores its response at once, for work that is one transaction. Throws
 * KeyTakenError when the key is held.
 */
export async function insertCompletedKey(
  tx: Transaction,
  claim: KeyClaim,
  response: StoredResponse,
): Promise<void> {
  const claimed = await tx.$executeRaw`
    INSERT INTO idempotency_keys
      (api_key_id, scope, key, fingerprint, state, lease_until, status, body)
    VALUES (${claim.apiKeyId}, ${claim.scope}, ${claim.key}, ${claim.fingerprint}, 'done', now(),
      ${response.status}, ${response.body})
    ON CONFLICT DO NOTHING`;
  if (claimed !== 1) throw new KeyTakenError();
}
