/**
 * The door of the API: takes on as much as can be done and turns the rest away before a byte of the
 * body is read, and gives each request its budget of time. How much: admission.ts. Streams and waits
 * rest most of the time and have bounds of their own: who opens or ends one needs a place, who is in
 * one needs none.
 */
import type { MiddlewareHandler } from 'hono';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import type { Admission, Pass, Refusal } from '../limits/concurrency-limit.ts';
import { doorOf } from '../limits/request-class.ts';
import { databaseUnavailable, type ApiEnv } from './request.ts';
import { ProblemError, type Problem } from '../http/problems.ts';
import type { Services } from '../context.ts';

/** 10 s in line at the most, then authorize 2 s, look-up 1 s and what the database takes. */
export const BUDGET_MS = 15_000;
/** Who is turned away at the same moment should not come back at the same moment. */
const RETRY_SECONDS = { least: 1, most: 3 } as const;

/** Health, metrics and callbacks do not come by here at all. */
export function admit({ admissions }: Services): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { signal } = c.req.raw;
    c.set('requestDeadline', AbortSignal.any([signal, AbortSignal.timeout(BUDGET_MS)]));
    const door = admissions[doorOf(c.req)];
    let pass = await comeIn(door, signal);
    c.set('waitOutside', async (wait) => {
      pass.leave('done');
      await wait();
      pass = await comeIn(door, signal);
    });
    try {
      await next();
    } finally {
      pass.leave(isDatabaseUnavailable(c.error) ? 'database_unavailable' : 'done');
    }
  };
}

/** Throws ProblemError when turned away. */
async function comeIn(door: Admission, signal: AbortSignal): Promise<Pass> {
  const entry = await door.enter(signal);
  if (entry.kind !== 'admitted') throw new ProblemError(turnedAway(entry.kind));
  return entry.pass;
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
