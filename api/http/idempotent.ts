/** What an Idempotency-Key is answered with, for work that keeps its answer as it is done. */
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

/** What was done, with its answer kept by `insertCompletedKey`; or why nothing was. */
export type HandlerResult = StoredResponse | Refused;

export type IdempotentOutcome =
  | { readonly kind: 'answered'; readonly answer: StoredResponse; readonly replayed: boolean }
  | Refused;

/** The stored answer of the key, or what `work` comes to when the key is free. */
export async function withIdempotencyKey(
  db: Database,
  claim: KeyClaim,
  work: () => Promise<HandlerResult>,
): Promise<IdempotentOutcome> {
  const before = await answered(db, claim);
  if (before) return before;
  const outcome = await work().catch(inFlightIfTaken);
  if (!('kind' in outcome)) return { kind: 'answered', answer: outcome, replayed: false };
  // It may be this very request that took what it is refused now, sent twice at once.
  return (await answered(db, claim)) ?? outcome;
}

/** What the key has been answered with, or null when it is free. */
async function answered(db: Database, claim: KeyClaim): Promise<IdempotentOutcome | null> {
  const key = await readKeyState(db, claim);
  switch (key.kind) {
    case 'free':
      return null;
    case 'answered':
      return { kind: 'answered', answer: key.answer, replayed: true };
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

/** Somebody else was first with the key, and has committed. */
function inFlightIfTaken(error: unknown): Refused {
  if (error instanceof KeyTakenError) return refused(inFlight());
  throw error;
}

export function keyReused(): Problem {
  return {
    code: 'idempotency_key_reused',
    detail: 'One key is one request: send another request under another key.',
  };
}

export function inFlight(): Problem {
  return {
    code: 'request_in_flight',
    detail: 'Ask again with the same key for the answer.',
    retryAfterSeconds: IN_FLIGHT_RETRY_SECONDS,
  };
}
