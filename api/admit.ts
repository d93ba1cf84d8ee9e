/**
 * The door of the API: takes on as much as can be done and turns the rest away before a byte of the
 * body is read, and gives each request its budget of time. How much: admission.ts.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { isDatabaseUnavailable } from '../prisma/errors.ts';
import type { Refusal } from './admission.ts';
import { databaseUnavailable, type ApiEnv } from './middleware.ts';
import { waitPreference } from './prefer.ts';
import { ProblemError, type Problem } from './problems.ts';
import type { Services } from './services.ts';

/** 10 s in line at the most, then authorize 2 s, look-up 1 s and what the database takes. */
const BUDGET_MS = 15_000;
/** Who is turned away at the same moment should not come back at the same moment. */
const RETRY_SECONDS = { least: 1, most: 3 } as const;

/**
 * Not for streams and `Prefer: wait`: these rest most of the time, and have bounds of their own.
 * Health, metrics and callbacks do not come by here at all.
 */
export function admit({ admissions }: Services): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { signal } = c.req.raw;
    c.set('budget', AbortSignal.any([signal, AbortSignal.timeout(BUDGET_MS)]));
    if (isPatient(c)) return next();
    const isCheckout = c.req.method === 'POST' && c.req.path === '/v1/orders';
    const entry = await admissions[isCheckout ? 'checkout' : 'other'].enter(signal);
    if (entry.kind !== 'admitted') throw new ProblemError(turnedAway(entry.kind));
    try {
      await next();
    } finally {
      entry.pass.leave(isDatabaseUnavailable(c.error) ? 'database_unavailable' : 'done');
    }
  };
}

function turnedAway(reason: Refusal): Problem {
  if (reason === 'database_unavailable') return databaseUnavailable();
  const { least, most } = RETRY_SECONDS;
  return {
    code: 'overloaded',
    detail: 'Nothing was begun; try again.',
    retryAfterSeconds: least + Math.floor(Math.random() * (most - least + 1)),
  };
}

function isPatient(c: Context): boolean {
  if (c.req.method !== 'GET') return false;
  const streams = c.req.header('accept')?.includes('text/event-stream') === true;
  return streams || waitPreference(c.req.header('prefer')) !== null;
}
