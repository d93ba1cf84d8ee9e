/** Error answers as Stripe gives them: https://docs.stripe.com/api/errors */
import type { Answer } from '../calls.ts';

export interface StripeError {
  readonly type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error';
  readonly code?: string;
  readonly decline_code?: string;
  readonly message: string;
  readonly param?: string;
  readonly payment_intent?: object;
}

/** A parameter that cannot be: nothing began, so the answer is not kept under the key. */
export function invalid(param: string, message: string, code = 'parameter_invalid_empty'): Answer {
  return failure(400, { type: 'invalid_request_error', code, message, param });
}

/** 404 in a path, 400 in a parameter. */
export function missing(what: string, id: string, where: 'path' | 'param' = 'path'): Answer {
  return failure(where === 'path' ? 404 : 400, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: `No such ${what}: '${id}'`,
    param: where === 'path' ? 'intent' : what,
  });
}

/** The request was understood and carried out up to this answer: kept under the key. */
export function conclusion(status: number, error: StripeError): Answer {
  return { status, body: { error }, keep: true };
}

export function failure(status: number, error: StripeError): Answer {
  return { status, body: { error }, keep: false };
}

export function unauthorized(): Answer {
  return failure(401, {
    type: 'invalid_request_error',
    message: 'Give a secret key (sk_...) as bearer token in the Authorization header.',
  });
}

export function internal(): Answer {
  return failure(500, { type: 'api_error', message: 'An error occurred; nothing was done.' });
}

/** A look-up refused: true whatever there is to be found. */
export function tooMany(): Answer {
  return failure(429, {
    type: 'invalid_request_error',
    code: 'rate_limit',
    message: 'Too many requests; ask again later.',
  });
}

export function keyInUse(): Answer {
  return failure(409, {
    type: 'idempotency_error',
    code: 'idempotency_key_in_use',
    message: 'Another request with this Idempotency-Key is still under way.',
  });
}

export function keyMismatch(): Answer {
  return failure(400, {
    type: 'idempotency_error',
    message: 'Keys for idempotent requests can only be used with the parameters of the first one.',
  });
}
