/**
 * The trace in a workflow's memo: passed to its activities in a Temporal header, as the parent of their
 * spans, and the workflow's own span when it ends. Neither is a command, so a history replays with and
 * without them.
 */
import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import {
  proxySinks,
  workflowInfo,
  type Sinks,
  type WorkflowInfo,
  type WorkflowInterceptorsFactory,
} from '@temporalio/workflow';

/** Calls out of the workflow's sandbox. */
export interface TraceSinks extends Sinks {
  readonly trace: {
    /** The run has ended. `error`: the name of what it failed with. */
    ended(end: { readonly atMs: number; readonly error: string | null }): void;
  };
}

/** The trace that the run was started within, and the run's own place in it. */
export interface RunTrace {
  readonly parent: string;
  readonly traceparent: string;
}

/** Of the form `00-<trace id>-<span id>-<flags>`. */
const FORM = /^(00-[0-9a-f]{32}-)([0-9a-f]{16})(-[0-9a-f]{2})$/;
const SPAN_DIGITS = 16;

/** Null when the memo has no trace. The span's id is of the run's, so that it needs no random number. */
export function traceOf({ memo, runId }: Pick<WorkflowInfo, 'memo' | 'runId'>): RunTrace | null {
  const parent = memo?.['traceparent'];
  if (typeof parent !== 'string' || !FORM.test(parent)) return null;
  const spanId = runId.replaceAll('-', '').slice(-SPAN_DIGITS);
  return { parent, traceparent: parent.replace(FORM, `$1${spanId}$3`) };
}

const { trace: sinks } = proxySinks<TraceSinks>();

export const interceptors: WorkflowInterceptorsFactory = () => ({
  inbound: [
    {
      async execute(input, next) {
        if (traceOf(workflowInfo()) === null) return next(input);
        let error: string | null = null;
        try {
          return await next(input);
        } catch (thrown) {
          error = thrown instanceof Error ? thrown.name : 'Error';
          throw thrown;
        } finally {
          sinks.ended({ atMs: Date.now(), error });
        }
      },
    },
  ],
  outbound: [
    {
      scheduleActivity: (input, next) => next({ ...input, headers: traced(input.headers) }),
      scheduleLocalActivity: (input, next) => next({ ...input, headers: traced(input.headers) }),
    },
  ],
});

function traced(headers: Headers): Headers {
  const trace = traceOf(workflowInfo());
  if (trace === null) return headers;
  return { ...headers, traceparent: defaultPayloadConverter.toPayload(trace.traceparent) };
}
