/**
 * Idempotency keys (draft-ietf-httpapi-idempotency-key-header). A key is claimed in the transaction
 * of the work it protects, under a lease: a crashed claim is taken over when the lease ends.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';
import { trusted } from '../client/cast.ts';

/** Who sent the key, for which call, and a digest of what was asked. */
export interface KeyClaim {
  readonly apiKeyId: string;
  readonly scope: string;
  readonly key: string;
  readonly fingerprint: string;
}

/** A response as it was sent, byte for byte. */
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
  /** A first try stopped half-way; its order waits to be taken up. */
  | { readonly kind: 'abandoned'; readonly orderId: OrderId };

/**
 * How long a retry takes a silent try for alive. It spares work and keeps nothing apart: two tries
 * have one provider key, and the order's turn lets one of them settle. So it may be shorter than the
 * path with every deadline used up: transaction 5 s, authorize 2 s, look-up 1 s, a connection 5 s,
 * transaction 5 s.
 */
const LEASE_MS = 8_000;
/** Responses are kept longer than any client retries. Stripe keeps keys for at least 24 hours. */
const KEPT_MS = 7 * 24 * 3_600_000;

/** Undoes the work when somebody else was first with the key. */
export class KeyTakenError extends Error {
  override readonly name = 'KeyTakenError';
}

/** Claims a free key. False when somebody holds it. Waits for a concurrent claim to commit. */
export async function claimKey(
  tx: Transaction,
  claim: KeyClaim & { readonly orderId: OrderId },
): Promise<boolean> {
  const claimed = await tx.$executeRaw`
    INSERT INTO idempotency_keys
      (api_key_id, scope, key, fingerprint, order_id, state, lease_until, expires_at)
    VALUES (${claim.apiKeyId}, ${claim.scope}, ${claim.key}, ${claim.fingerprint}, ${claim.orderId},
      'running', now() + ${LEASE_MS} * interval '1 ms', now() + ${KEPT_MS} * interval '1 ms')
    ON CONFLICT DO NOTHING`;
  return claimed === 1;
}

/** Where a key stands. `abandoned` has also taken the lease: the caller must go on with the order. */
export async function readKeyState(db: Database, claim: KeyClaim): Promise<KeyState> {
  const { apiKeyId, scope, key } = claim;
  const row = await db.idempotencyKey.findUnique({
    where: { apiKeyId_scope_key: { apiKeyId, scope, key } },
  });
  if (!row) return { kind: 'free' };
  if (row.fingerprint !== claim.fingerprint) return { kind: 'other_request' };
  const orderId = row.orderId === null ? null : trusted<OrderId>(row.orderId);
  if (row.status !== null && row.body !== null) {
    return { kind: 'completed', orderId, response: { status: row.status, body: row.body } };
  }
  const taken = await db.$executeRaw`
    UPDATE idempotency_keys SET lease_until = now() + ${LEASE_MS} * interval '1 ms'
    WHERE api_key_id = ${apiKeyId} AND scope = ${scope} AND key = ${key}
      AND state = 'running' AND lease_until < now()`;
  return taken === 1 && orderId !== null ? { kind: 'abandoned', orderId } : { kind: 'in_flight' };
}

/** Ends the lease early, so that the client's next try goes on at once. */
export async function releaseKey(db: Database, claim: KeyClaim): Promise<void> {
  await db.$executeRaw`
    UPDATE idempotency_keys SET lease_until = now() - interval '1 ms'
    WHERE api_key_id = ${claim.apiKeyId} AND scope = ${claim.scope} AND key = ${claim.key}
      AND state = 'running'`;
}

/** Stores the response that settled the order. Only the first one is stored. */
export async function storeResponse(
  tx: Transaction,
  orderId: OrderId,
  response: StoredResponse,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE idempotency_keys SET state = 'done', status = ${response.status}, body = ${response.body}
    WHERE order_id = ${orderId} AND state = 'running'`;
}

/**
 * Claims a key and stores its response in one statement, for work that is one transaction. Throws
 * KeyTakenError when somebody holds it.
 */
export async function insertCompletedKey(
  tx: Transaction,
  claim: KeyClaim,
  response: StoredResponse,
): Promise<void> {
  const claimed = await tx.$executeRaw`
    INSERT INTO idempotency_keys
      (api_key_id, scope, key, fingerprint, state, lease_until, expires_at, status, body)
    VALUES (${claim.apiKeyId}, ${claim.scope}, ${claim.key}, ${claim.fingerprint}, 'done', now(),
      now() + ${KEPT_MS} * interval '1 ms', ${response.status}, ${response.body})
    ON CONFLICT DO NOTHING`;
  if (claimed !== 1) throw new KeyTakenError();
}

/** Forgets keys past their time, a bounded number per call. Returns how many. */
export async function dropExpiredKeys(db: Database, limit: number): Promise<number> {
  return db.$executeRaw`
    DELETE FROM idempotency_keys WHERE (api_key_id, scope, key) IN (
      SELECT api_key_id, scope, key FROM idempotency_keys
      WHERE expires_at < now() ORDER BY expires_at LIMIT ${limit})`;
}
