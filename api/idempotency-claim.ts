/** What one request's Idempotency-Key stands for: who sent it, for which call, asking what. */
import { createHash } from 'node:crypto';
import type { KeyClaim } from '../prisma/idempotency.ts';

/**
 * The claim of a request. `scope` is method and path; the fingerprint is of the parsed body, so
 * that spacing and the order of members make no difference.
 */
export function claimOf(request: {
  readonly apiKeyId: string;
  readonly scope: string;
  readonly key: string;
  readonly body: unknown;
}): KeyClaim {
  const { body, ...rest } = request;
  const fingerprint = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  return { ...rest, fingerprint };
}
