/** Runs work under an Idempotency-Key. The work stores its response in its own transaction. */
import type { Database } from '../../prisma/client/client.ts';
import {
  readKeyState,
  KeyTakenError,
  type KeyClaim,
  type StoredResponse,
} from '../../prisma/access/idempotency.ts';
import type { Problem } from './problems.ts';

const IN_FLIGHT_RETRY_SECONDS = 1;

interface Refused {
  readonly kind: 'refused';
  readonly problem: Problem;
}

/** The response that the work stored with `insertCompletedKey`, or why it did nothing. */
export type HandlerResult = StoredResponse | Refused;

export type IdempotentOutcome =
  | { readonly kind: 'completed'; readonly response: StoredResponse; readonly replayed: boolean }
  | Refused;

/** Returns the key's stored response, or runs `work` if the key is free. */
export async function withIdempotencyKey(
  db: Database,
  claim: KeyClaim,
  work: () => Promise<HandlerResult>,
): Promise<IdempotentOutcome> {
  const before = await outcomeOf(db, claim);
  if (before) return before;
  const outcome = await work().catch(inFlightIfTaken);
  if (!('kind' in outcome)) return { kind: 'completed', response: outcome, replayed: false };
  // A concurrent duplicate of this request may have succeeded and caused the refusal.
  return (await outcomeOf(db, claim)) ?? outcome;
}

/** The outcome that the key has already; null when it is free. */
async function outcomeOf(db: Database, claim: KeyClaim): Promise<IdempotentOutcome | null> {
  const key = await readKeyState(db, claim);
  switch (key.kind) {
    case 'free':
      return null;
    case 'completed':
      return { kind: 'completed', response: key.response, replayed: true };
    case 'other_request':
      return refused(keyReused());
    case 'in_flight':
    case 'abandoned':
      return refused(inFlight());
  }
}

export function refused(problem: Problem): Refused {
  return { kind: 'refused', problem };
}

/** Another request committed with the same key first. */
function inFlightIfTaken(error: unknown): Refused {
  if (error instanceof KeyTakenError) return refused(inFlight());
  throw error;
}

export function keyReused(): Problem {
  return {
    code: 'idempotency_key_reused',
    detail: 'This key belongs to a different request. Send a new request with a new key.',
  };
}

export function inFlight(): Problem {
  return {
    code: 'request_in_flight',
    detail: 'The request is still being processed. Retry with the same Idempotency-Key.',
    retryAfterSeconds: IN_FLIGHT_RETRY_SECONDS,
  };
}
