/** Answers that are not built on the spot: stored bytes, and what failed validation. */
import type { z } from '@hono/zod-openapi';
import type { Context, TypedResponse } from 'hono';
import type { StatusCode } from 'hono/utils/http-status';
import type { JSONParsed } from 'hono/utils/types';
import type { StoredResponse } from '../../prisma/access/idempotency.ts';
import { ProblemError } from './problems.ts';
import { fieldErrors } from './validation.ts';

type Stored<S extends StatusCode, T extends z.ZodType> = Response &
  TypedResponse<JSONParsed<z.output<T>>, S, 'json'>;

/** The statuses of answers that settle something. */
const STORED_STATUSES = [200, 201, 202, 402] as const;

/** Sends what was stored, byte for byte (G9). A replay says that it is one. */
export function sendStored<S extends StatusCode, T extends z.ZodType>(
  c: Context,
  answer: StoredResponse,
  replayed: boolean,
): Stored<S, T> {
  const problem = answer.status >= 400;
  c.header('content-type', problem ? 'application/problem+json' : 'application/json');
  c.header('cache-control', 'no-store');
  if (replayed) c.header('idempotent-replayed', 'true');
  const status = STORED_STATUSES.find((each) => each === answer.status);
  const response = c.body(answer.body, status);
  if (!isAsDeclared<S, T>(response)) throw new Error(`${answer.status} is not stored by any route`);
  return response;
}

/** Turns a failed check of any route into a problem with field errors. */
export function onInvalid(
  result: { readonly target: string } & (
    { readonly success: true } | { readonly success: false; readonly error: z.ZodError }
  ),
): void {
  if (result.success) return;
  const errors = fieldErrors(result.target, result.error);
  const named = errors.map(({ header }) => header);
  if (result.target === 'header' && named.includes('idempotency-key')) {
    const detail = 'Send one key per intent, e.g. a UUID, and the same one when trying again.';
    throw new ProblemError({ code: 'idempotency_key_required', detail, errors });
  }
  const detail = 'Some values cannot be accepted; `errors` says which.';
  throw new ProblemError({ code: 'invalid_request', detail, errors });
}

/** Only bytes are left of a stored answer; they were built from the type the route declares. */
function isAsDeclared<S extends StatusCode, T extends z.ZodType>(
  response: Response,
): response is Stored<S, T> {
  return STORED_STATUSES.some((status) => status === response.status);
}
