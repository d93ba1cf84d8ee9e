/**
 * The current trace of a request or an activity, propagated along its asynchronous calls and to
 * other systems. No spans are recorded here; the trace's id is in our log, in Temporal's memos and in
 * the calls to others.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { withParent } from './traceparent.ts';

const current = new AsyncLocalStorage<string | null>();
const PARENT_ID_BYTES = 8;

/** Runs the work within a trace; null: without one. */
export function withinTrace<T>(traceparent: string | null, work: () => T): T {
  return current.run(traceparent, work);
}

/** The headers that propagate the current trace. */
export function currentTraceHeaders(): TraceHeaders {
  return traceHeaders(current.getStore() ?? null);
}

type TraceHeaders = { readonly traceparent?: string };

/** The headers that propagate a trace, with a new span id each time. Empty without a trace. */
export function traceHeaders(traceparent: string | null): TraceHeaders {
  if (traceparent === null) return {};
  return { traceparent: withParent(traceparent, randomBytes(PARENT_ID_BYTES).toString('hex')) };
}
