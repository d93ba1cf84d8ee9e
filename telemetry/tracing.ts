/**
 * The current trace of a request or an activity, propagated along its asynchronous calls and to other
 * systems, and the spans in it. Without a recorder (telemetry/otlp.ts) no span is made: the trace is
 * propagated as it was received.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { isSampled, withParent } from './traceparent.ts';

const current = new AsyncLocalStorage<string | null>();
const PARENT_ID_BYTES = 8;
const TRACE_ID_BYTES = 16;
/** The part of a trace id that is random by the W3C's level 2: its last 56 bits. */
const RANDOM_DIGITS = 14;

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;
export type SpanKind = 'server' | 'client' | 'internal';

/** Work that has ended. Its attributes and its error are codes and ids, never texts with values. */
export interface Span {
  readonly name: string;
  readonly kind: SpanKind;
  /** Its trace and its own id. */
  readonly traceparent: string;
  /** Null: it began its trace. */
  readonly parent: string | null;
  /** Since the epoch. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly attributes: SpanAttributes;
  readonly error: string | null;
}

export interface SpanRecorder {
  /** Returns at once and never throws. */
  record(span: Span): void;
  /** The share of the traces begun here that are recorded, 0 to 1. Others' traces say it themselves. */
  readonly sampleRate: number;
}

let recorder: SpanRecorder | null = null;

/** Records all spans of this process from here on; null: none. */
export function recordSpans(by: SpanRecorder | null): void {
  recorder = by;
}

/** Whether spans are recorded. */
export function recordsSpans(): boolean {
  return recorder !== null;
}

/** Records work that was measured elsewhere, unless its trace is not sampled. */
export function recordSpan(span: Span): void {
  if (isSampled(span.traceparent)) recorder?.record(span);
}

export interface SpanStart {
  readonly name: string;
  readonly kind: SpanKind;
  /** The current trace unless given; null: none. */
  readonly parent?: string | null;
  /** Begins a trace where there is none. Otherwise work outside of a trace is not recorded. */
  readonly isRoot?: boolean;
  readonly attributes?: SpanAttributes;
}

export interface OpenSpan {
  /** The trace of the work, for what it writes and sends; null: none. */
  readonly traceparent: string | null;
  /** Adds what is known later. The first error stays. */
  describe(about: {
    readonly name?: string;
    readonly attributes?: SpanAttributes;
    readonly error?: string | null;
  }): void;
  /** Moves a span that began its trace under a span of another trace. Call it last. */
  join(parent: string): void;
}

/** Runs the work in a span of its own, which is the parent of the spans in it. */
export async function inSpan<T>(
  start: SpanStart,
  work: (span: OpenSpan) => Promise<T>,
): Promise<T> {
  const parent = start.parent === undefined ? (current.getStore() ?? null) : start.parent;
  const own = recorder === null ? null : startTrace(parent, start.isRoot ?? false, recorder);
  if (own === null) return withinTrace(parent, () => work(unrecorded(parent)));
  const { span, end } = openSpan(start, parent, own);
  try {
    return await withinTrace(own, () => work(span));
  } catch (error) {
    span.describe({ error: errorType(error) });
    throw error;
  } finally {
    end();
  }
}

/** Runs the work within a trace; null: without one. */
export function withinTrace<T>(traceparent: string | null, work: () => T): T {
  return current.run(traceparent, work);
}

type TraceHeaders = { readonly traceparent?: string };

/** The headers that propagate the current trace: its span, or an id of their own when none is recorded. */
export function currentTraceHeaders(): TraceHeaders {
  const traceparent = current.getStore() ?? null;
  if (traceparent === null) return {};
  return { traceparent: recorder === null ? childOf(traceparent) : traceparent };
}

function startTrace(
  parent: string | null,
  isRoot: boolean,
  { sampleRate }: SpanRecorder,
): string | null {
  if (parent !== null) return childOf(parent);
  if (!isRoot) return null;
  const traceId = randomBytes(TRACE_ID_BYTES).toString('hex');
  const share = Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) / 16 ** RANDOM_DIGITS;
  // The same traces as any other sampler by the same id: those of the highest random part.
  return `00-${traceId}-${randomSpanId()}-0${Number(share >= 1 - sampleRate)}`;
}

function childOf(traceparent: string): string {
  return withParent(traceparent, randomSpanId());
}

function randomSpanId(): string {
  return randomBytes(PARENT_ID_BYTES).toString('hex');
}

function unrecorded(traceparent: string | null): OpenSpan {
  return { traceparent, describe: () => undefined, join: () => undefined };
}

type Described = Omit<Span, 'startedAtMs' | 'endedAtMs'>;

function openSpan(
  { name, kind, attributes = {} }: SpanStart,
  parent: string | null,
  traceparent: string,
): { readonly span: OpenSpan; readonly end: () => void } {
  const startedAtMs = Date.now();
  const startedAt = performance.now();
  let described: Described = { name, kind, attributes, parent, traceparent, error: null };
  return {
    span: {
      traceparent,
      describe(about) {
        described = {
          ...described,
          name: about.name ?? described.name,
          attributes: { ...described.attributes, ...about.attributes },
          error: described.error ?? about.error ?? null,
        };
      },
      join(other) {
        described = { ...described, parent: other, traceparent: childOf(other) };
      },
    },
    // The clock of the machine may be set meanwhile; a duration is by the other one.
    end: () =>
      recordSpan({
        ...described,
        startedAtMs,
        endedAtMs: startedAtMs + performance.now() - startedAt,
      }),
  };
}

/** The type of an ApplicationFailure, or the name of the class. */
function errorType(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'type' in error && typeof error.type === 'string' ? error.type : error.name;
}
