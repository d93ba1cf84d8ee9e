/**
 * Accepts as many requests as can be served, rejects the rest before their body is read, and gives
 * each request its deadline. An open stream or a long poll holds no permit while it waits, and has a
 * bound of its own.
 */
import type { MiddlewareHandler } from 'hono';
import { isDatabaseUnreachable } from '../../prisma/client/errors.ts';
import type { Services } from '../context.ts';
import { ProblemError, type Problem } from '../http/problems.ts';
import type { ConcurrencyLimiter, Permit, Rejection } from '../limits/concurrency-limit.ts';
import { requestClassOf } from '../limits/request-class.ts';
import { databaseUnavailable, isOfConsole, type ApiEnv } from './request.ts';

/** At most 10 s in the queue, then authorize 2 s, look-up 1 s and the database. */
export const REQUEST_DEADLINE_MS = 15_000;
/** Health, metrics and callbacks do not pass here. */
export function loadShedding({ limiters }: Services): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { signal } = c.req.raw;
    c.set('requestDeadline', AbortSignal.any([signal, AbortSignal.timeout(REQUEST_DEADLINE_MS)]));
    const requestClass = isOfConsole(c) ? 'console' : requestClassOf(c.req);
    const limiter = limiters[requestClass];
    let permit = await acquirePermit(limiter, signal);
    c.set('releaseWhileWaiting', async (wait) => {
      permit.release();
      const result = await wait();
      permit = await acquirePermit(limiter, signal);
      return result;
    });
    try {
      await next();
    } finally {
      // Queued requests would find no database either, one after the other, each after its own wait. For
      // those of the catalog there may be a copy.
      const needsDatabase = requestClass !== 'catalog';
      if (needsDatabase && isDatabaseUnreachable(c.error)) {
        limiter.rejectQueue('database_unavailable');
      }
      permit.release();
    }
  };
}

/** Throws ProblemError when rejected. */
async function acquirePermit(limiter: ConcurrencyLimiter, signal: AbortSignal): Promise<Permit> {
  const result = await limiter.acquire(signal);
  if (typeof result === 'string') throw new ProblemError(rejected(result, limiter.retryAfterMs()));
  return result;
}

function rejected(reason: Rejection, retryAfterMs: number): Problem {
  if (reason === 'database_unavailable') return databaseUnavailable();
  return {
    code: 'overloaded',
    detail: 'The request was not processed. Retry it, with the same Idempotency-Key if it had one.',
    // From 1 s to twice the average, so that clients rejected together do not retry together.
    retryAfterSeconds: 1 + Math.random() * ((2 * retryAfterMs) / 1_000 - 2),
  };
}
