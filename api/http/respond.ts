/** Responses from stored bytes, and problems from failed validation. */
import { z } from '@hono/zod-openapi';
import type { Context, TypedResponse } from 'hono';
import type { StatusCode } from 'hono/utils/http-status';
import type { JSONParsed } from 'hono/utils/types';
import type { StoredResponse } from '../../prisma/access/idempotency.ts';
import { invalidRequest, ProblemError } from './problems.ts';
import { fieldErrors } from './validation.ts';

type Stored<S extends StatusCode, T extends z.ZodType> = Response &
  TypedResponse<JSONParsed<z.output<T>>, S, 'json'>;

/** The statuses of stored responses. */
const STORED_STATUSES = [200, 201, 202, 402, 422] as const;

/** Sends a stored response byte for byte. A header marks a replay. */
export function sendStored<S extends StatusCode, T extends z.ZodType>(
  c: Context,
  stored: StoredResponse,
  replayed: boolean,
): Stored<S, T> {
  const problem = stored.status >= 400;
  c.header('content-type', problem ? 'application/problem+json' : 'application/json');
  if (replayed) c.header('idempotent-replayed', 'true');
  const status = STORED_STATUSES.find((each) => each === stored.status);
  // Without a status Hono would send 200.
  const response = status === undefined ? null : c.body(stored.body, status);
  if (response === null || !isAsDeclared<S, T>(response))
    throw new Error(`no route stores a response with status ${stored.status}`);
  return response;
}

const identified = z.object({ id: z.string() });

/** The id in a stored JSON body. */
export function idIn(body: string): string {
  return identified.parse(JSON.parse(body)).id;
}

/** Turns failed validation into a problem with field errors. */
export function onInvalid(
  result: { readonly target: string } & (
    { readonly success: true } | { readonly success: false; readonly error: z.ZodError }
  ),
): void {
  if (result.success) return;
  const errors = fieldErrors(result.target, result.error);
  const named = errors.map(({ header }) => header);
  if (result.target === 'header' && named.includes('idempotency-key')) {
    const detail = 'Send a unique key per operation, e.g. a UUID, and the same key when you retry.';
    throw new ProblemError({ code: 'idempotency_key_required', detail, errors });
  }
  throw new ProblemError(invalidRequest(errors));
}

/** A stored response has no type. Its bytes were built from the type that the route declares. */
function isAsDeclared<S extends StatusCode, T extends z.ZodType>(
  response: Response,
): response is Stored<S, T> {
  return STORED_STATUSES.some((status) => status === response.status);
}
