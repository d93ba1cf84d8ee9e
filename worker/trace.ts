/** The trace of workflows and activities on the worker's side; the workflow's own is workflows/trace.ts. */
import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import { readTraceparent, traceIdOf } from '../telemetry/traceparent.ts';
import { inSpan, recordSpan } from '../telemetry/tracing.ts';
import { traceOf, type TraceSinks } from '../workflows/trace.ts';

/** Runs an activity as a span of its workflow's trace, and adds the trace id to its log. */
export const traceActivity: ActivityInterceptorsFactory = ({ info }) => {
  let traceparent: string | null = null;
  return {
    inbound: {
      execute(input, next) {
        const { traceparent: header } = input.headers;
        traceparent = header ? readTraceparent(defaultPayloadConverter.fromPayload(header)) : null;
        const attributes = {
          'temporal.workflow.id': info.workflowExecution?.workflowId ?? '',
          'temporal.activity.attempt': info.attempt,
          'temporal.activity.local': info.isLocal,
        };
        const span = { name: info.activityType, kind: 'internal', attributes } as const;
        return inSpan({ ...span, parent: traceparent }, () => next(input));
      },
    },
    outbound: {
      getLogAttributes: (input, next) =>
        next(traceparent === null ? input : { ...input, trace_id: traceIdOf(traceparent) }),
    },
  };
};

/** Records the span of a workflow when it ends: from its start, on whatever worker, to then. */
export const traceSinks: InjectedSinks<TraceSinks> = {
  trace: {
    ended: {
      fn(info, { atMs, error }) {
        const trace = traceOf(info);
        if (trace === null) return;
        recordSpan({
          ...trace,
          name: info.workflowType,
          kind: 'internal',
          startedAtMs: info.startTime.getTime(),
          endedAtMs: atMs,
          attributes: { 'temporal.workflow.id': info.workflowId, 'temporal.run.id': info.runId },
          error,
        });
      },
      callDuringReplay: false,
    },
  },
};
