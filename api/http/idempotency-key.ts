/** What one request's Idempotency-Key stands for: who sent it, for which call, asking what. */
import { createHash } from 'node:crypto';
import type { KeyClaim } from '../../prisma/access/idempotency.ts';

/**
 * The claim of a request. `scope` is method and path; the fingerprint is of the parsed body, so
 * that spacing and the order of members make no discrepancy.
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
 * Names the request outside the table of keys. Clients write whatever they like into a key, an
 * e-mail address too, and two clients may write the same.
 */
export function requestDigest({ apiKeyId, scope, key }: KeyClaim): string {
  return digest([apiKeyId, scope, key]);
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
