/**
 * The trace at hand: carried along the asynchronous calls of a request or an activity, and sent with
 * each call to somebody else. Nothing is recorded here; whoever records finds the trace's id in our
 * log, in Temporal's memos and with the other side.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { withParent } from './traceparent.ts';

const atHand = new AsyncLocalStorage<string | null>();
const PARENT_ID_BYTES = 8;

/** Runs the work within a trace; null: within none. */
export function withinTrace<T>(traceparent: string | null, work: () => T): T {
  return atHand.run(traceparent, work);
}

/** What a call to somebody else says of the trace at hand. */
export function currentTraceHeaders(): TraceHeaders {
  return traceHeaders(atHand.getStore() ?? null);
}

type TraceHeaders = { readonly traceparent?: string };

/** What a call to somebody else says of a trace: a span of its own each time. Empty without one. */
export function traceHeaders(traceparent: string | null): TraceHeaders {
  if (traceparent === null) return {};
  return { traceparent: withParent(traceparent, randomBytes(PARENT_ID_BYTES).toString('hex')) };
}
