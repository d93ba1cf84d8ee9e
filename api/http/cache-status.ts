/** Says in headers where a response of the catalog came from: RFC 9211, and RFC 9111 §5.1 for its age. */
import type { Context } from 'hono';
import type { Cached } from '../../services/stale-cache.ts';

/**
 * `hit` with the seconds for which the copy is still used, or `fwd=miss` for the database. Of a stale copy
 * they are below zero, and `Age` has the seconds since it was read: a cache of the client knows it as old.
 */
export function describeCache(c: Context, cached: Cached<unknown>): void {
  const { from, ageMs, freshForMs } = cached;
  if (from === 'database') {
    c.header('cache-status', 'holdfast; fwd=miss');
  } else if (from === 'cache') {
    c.header('cache-status', `holdfast; hit; ttl=${Math.floor(freshForMs / 1_000)}`);
  } else {
    const ttl = Math.min(-1, Math.floor(freshForMs / 1_000));
    c.header('cache-status', `holdfast; hit; ttl=${ttl}; detail=database_unavailable`);
    c.header('age', String(Math.ceil(ageMs / 1_000)));
  }
}
