/** The identity of a request with an Idempotency-Key: API key, call, key and body. */
import { createHash } from 'node:crypto';
import type { KeyClaim } from '../../prisma/access/idempotency.ts';

/**
 * The claim of a request. `scope` is method and path. The fingerprint is taken from the parsed body,
 * so whitespace does not matter.
 */
export function claimOf(request: {
  readonly apiKeyId: string;
  readonly scope: string;
  readonly key: string;
  readonly body: unknown;
}): KeyClaim {
  const { body, ...rest } = request;
  return { ...rest, fingerprint: digest(body) };
}

/**
 * Identifies the request outside the key table. The key itself is not used, because it may contain
 * personal data and two clients may choose the same one.
 */
export function requestDigest({ apiKeyId, scope, key }: KeyClaim): string {
  return digest([apiKeyId, scope, key]);
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
