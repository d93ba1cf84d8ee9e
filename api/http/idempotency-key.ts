/** The identity of a request with an Idempotency-Key: API key, call, key and body. */
import { createHash } from 'node:crypto';
import type { KeyClaim } from '../../prisma/access/idempotency.ts';

/**
 * The claim of a request. `scope` is method and path. The fingerprint is taken from the parsed body,
 * so whitespace does not matter. The key is stored as a digest: a client may
 * have put personal data into it.
 */
export function claimOf(request: {
  readonly apiKeyId: string;
  readonly scope: string;
  readonly key: string;
  readonly body: unknown;
}): KeyClaim {
  const { body, key, ...rest } = request;
  return { ...rest, key: storedKey(key), fingerprint: digest(body) };
}

/** An Idempotency-Key as the database has it. */
export function storedKey(key: string): string {
  return digest(key);
}

/**
 * Identifies the request outside the key table: two clients may choose the same key.
 */
export function requestDigest({ apiKeyId, scope, key }: KeyClaim): string {
  return digest([apiKeyId, scope, key]);
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
