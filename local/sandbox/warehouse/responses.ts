/** Error responses of the warehouse: `{code, ...}`, after docs/warehouse-contract.md. */
import type { ProviderResponse } from '../calls.ts';
import type { RejectedWith } from '../faults.ts';

/** The warehouse's business refusal: final for this key. */
export function refusal(reason: string): ProviderResponse {
  return { status: 409, body: { code: 'refused', reason }, replayable: true };
}

export function notFound(): ProviderResponse {
  return problem(404, 'not_found');
}

export function failed(): ProviderResponse {
  return problem(500, 'internal_error');
}

/** The error that a fault asks for. */
export function rejected({ status = 400, code = 'rejected' }: RejectedWith): ProviderResponse {
  return problem(status, code);
}

export function keyInUse(): ProviderResponse {
  return problem(409, 'idempotency_key_in_use');
}

export function keyMismatch(): ProviderResponse {
  return problem(422, 'idempotency_key_reused');
}

/** A response that is not saved: the call may be repeated. */
export function problem(status: number, code: string, message?: string): ProviderResponse {
  return { status, body: message === undefined ? { code } : { code, message }, replayable: false };
}
