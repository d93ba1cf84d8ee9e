/**
 * Passes the trace in a workflow's memo to its activities, in a Temporal header. It changes no command,
 * so a history replays with and without it.
 */
import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import { workflowInfo, type WorkflowInterceptorsFactory } from '@temporalio/workflow';

export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      scheduleActivity: (input, next) => next({ ...input, headers: traced(input.headers) }),
      scheduleLocalActivity: (input, next) => next({ ...input, headers: traced(input.headers) }),
    },
  ],
});

function traced(headers: Headers): Headers {
  const traceparent = workflowInfo().memo?.['traceparent'];
  if (typeof traceparent !== 'string') return headers;
  return { ...headers, traceparent: defaultPayloadConverter.toPayload(traceparent) };
}
