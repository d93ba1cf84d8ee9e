/** Evaluates the preconditions of reads against the entity tag of the response (RFC 9110 §13). */
import type { MiddlewareHandler } from 'hono';
import { failedPrecondition } from '../http/etag.ts';
import { ProblemError } from '../http/problems.ts';
import type { ApiEnv } from './request.ts';

/**
 * A handler only sets ETag. The response becomes 304 or 412 when the preconditions say so, and is not
 * stored by caches unless the handler allows it.
 */
export function conditionalRead(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    const { headers } = c.res;
    if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
    if (!['GET', 'HEAD'].includes(c.req.method) || c.res.status !== 200) return;
    const ifMatch = c.req.header('if-match');
    const ifNoneMatch = c.req.header('if-none-match');
    // An empty tag: a representation that only `*` matches.
    const failed = failedPrecondition({ ifMatch, ifNoneMatch }, headers.get('etag') ?? '');
    // An event stream would keep its place until its client is found not to read.
    if (failed !== null) await c.res.body?.cancel();
    if (failed === 'if-match') {
      const detail = 'The resource has another entity tag. Read it again without If-Match.';
      // Hono would give the fields of the 200 to the problem.
      c.res = undefined;
      throw new ProblemError({ code: 'precondition_failed', detail });
    }
    // The fields of the 200 that a cache keeps with its copy stay: Hono takes them over.
    if (failed === 'if-none-match') c.res = new Response(null, { status: 304 });
  };
}
