/** Error answers of the warehouse: `{code, ...}`, as docs/warehouse-contract.md promises. */
import type { Answer } from '../calls.ts';

/** The warehouse's business refusal: final for this key. */
export function refusal(reason: string): Answer {
  return { status: 409, body: { code: 'refused', reason }, keep: true };
}

export function notFound(): Answer {
  return problem(404, 'not_found');
}

export function failed(): Answer {
  return problem(500, 'internal_error');
}

export function keyInUse(): Answer {
  return problem(409, 'idempotency_key_in_use');
}

export function keyMismatch(): Answer {
  return problem(422, 'idempotency_key_reused');
}

/** An answer that is not kept: the same call may be made again. */
export function problem(status: number, code: string, message?: string): Answer {
  return { status, body: message === undefined ? { code } : { code, message }, keep: false };
}
