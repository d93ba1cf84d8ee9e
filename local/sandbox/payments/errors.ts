/** Error responses in Stripe's shape: https://docs.stripe.com/api/errors */
import type { ProviderResponse } from '../calls.ts';
import type { RejectedWith } from '../faults.ts';

export interface StripeError {
  /** `api_error`, `card_error`, `idempotency_error` or `invalid_request_error`. */
  readonly type: string;
  readonly code?: string;
  readonly decline_code?: string;
  readonly message: string;
  readonly param?: string;
  readonly payment_intent?: object;
}

/** An invalid parameter: nothing began, so the response is not saved under the key. */
export function invalid(
  param: string,
  message: string,
  code = 'parameter_invalid_empty',
): ProviderResponse {
  return failure(400, { type: 'invalid_request_error', code, message, param });
}

/** 404 in a path, 400 in a parameter. */
export function missing(
  what: string,
  id: string,
  where: 'path' | 'param' = 'path',
): ProviderResponse {
  return failure(where === 'path' ? 404 : 400, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: `No such ${what}: '${id}'`,
    param: where === 'path' ? 'intent' : what,
  });
}

/** The outcome of a request whose execution began, a failure too: saved under the key. */
export function finalError(status: number, error: StripeError): ProviderResponse {
  return { status, body: { error }, replayable: true };
}

/** The execution never began, so nothing is saved. */
function failure(status: number, error: StripeError): ProviderResponse {
  return { status, body: { error }, replayable: false };
}

export function unauthorized(): ProviderResponse {
  return failure(401, {
    type: 'invalid_request_error',
    message: 'Give a secret key (sk_...) as bearer token in the Authorization header.',
  });
}

export function internal(): ProviderResponse {
  return finalError(500, {
    type: 'api_error',
    message: 'An error occurred; the request was not carried out.',
  });
}

/** The error that a fault asks for; by default with the type that Stripe gives this status. */
export function rejected({ status = 400, type, code, param }: RejectedWith): ProviderResponse {
  return failure(status, {
    type: type ?? typeOf(status),
    message: 'A fault of the sandbox.',
    ...(code !== undefined && { code }),
    ...(param !== undefined && { param }),
  });
}

function typeOf(status: number): string {
  if (status >= 500) return 'api_error';
  return status === 402 ? 'card_error' : 'invalid_request_error';
}

/** A refused look-up says nothing about what exists. */
export function tooMany(): ProviderResponse {
  return failure(429, {
    type: 'invalid_request_error',
    code: 'rate_limit',
    message: 'Too many requests; retry later.',
  });
}

export function keyInUse(): ProviderResponse {
  return failure(409, {
    type: 'idempotency_error',
    code: 'idempotency_key_in_use',
    message: 'Another request with this Idempotency-Key is still in progress.',
  });
}

export function keyMismatch(): ProviderResponse {
  return failure(400, {
    type: 'idempotency_error',
    message: 'Keys for idempotent requests can only be used with the parameters of the first one.',
  });
}
