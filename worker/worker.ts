/** A worker: polls one task queue, and is made anew when it fails. */
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { defaultPayloadConverter } from '@temporalio/common';
import {
  Worker,
  type ActivityInterceptorsFactory,
  type NativeConnection,
} from '@temporalio/worker';
import type { Logger } from 'pino';
import { readTraceparent, traceIdOf } from '../telemetry/traceparent.ts';
import { withinTrace } from '../telemetry/tracing.ts';

export interface WorkerOptions {
  readonly connected: () => Promise<NativeConnection | null>;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly activities: object;
  /** Activities at once. A pump runs for minutes, so a queue of pumps needs many. */
  readonly maxConcurrentActivities: number;
  /** Path of a bundle made before; without one the workflows are bundled at start. */
  readonly workflowBundle: string | undefined;
  readonly log: Logger;
}

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;
const LOOK_EVERY_MS = 1_000;
const LOOK_DEADLINE_MS = 2_000;
/** Each cached workflow holds an isolate's memory; more than this only helps above ~100 orders/s. */
const MAX_CACHED_WORKFLOWS = 600;
/**
 * The SDK sends no more heartbeats than one in 80 % of the timeout: of a pump's 5 s that leaves one
 * second for whatever is slow, and then two workers pump. This leaves three.
 */
const HEARTBEAT_AT_MOST_EVERY = '2 seconds';
const WORKFLOWS_PATH = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
const TRACE_PATH = fileURLToPath(new URL('../workflows/trace.ts', import.meta.url));

/** Begins when Temporal is there. `stop` lets running activities finish, within 15 s. */
export function startWorker(options: WorkerOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  let current: Worker | null = null;

  async function runOnce(connection: NativeConnection): Promise<void> {
    const worker = await createWorker(connection, options);
    current = worker;
    try {
      const ran = worker.run();
      // Stopped while it was made: only a worker that has run lets go of its connection.
      if (stopping.signal.aborted) worker.shutdown();
      await ran;
    } finally {
      current = null;
    }
  }

  async function pause(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  async function runForEver(): Promise<void> {
    const connection = await options.connected();
    if (connection === null) return;
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      if (!(await answers(connection))) {
        await pause(LOOK_EVERY_MS);
        continue;
      }
      const startedAt = performance.now();
      try {
        await runOnce(connection);
      } catch (error) {
        options.log.error({ err: error }, 'the worker failed and is made anew');
      }
      if (performance.now() - startedAt > MAX_BACKOFF_MS) backoffMs = FIRST_BACKOFF_MS;
      await pause(backoffMs);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
    }
  }

  const running = runForEver();
  return {
    async stop() {
      stopping.abort();
      if (current?.getState() === 'RUNNING') current.shutdown();
      await running;
    },
  };
}

/**
 * A worker made while Temporal is away fails, and holds its task queue until it is collected as
 * garbage: the next one is refused meanwhile. temporal.ts says that Temporal is away.
 */
async function answers(connection: NativeConnection): Promise<boolean> {
  const look = (): Promise<unknown> => connection.workflowService.getSystemInfo({});
  try {
    await connection.withDeadline(Date.now() + LOOK_DEADLINE_MS, look);
    return true;
  } catch {
    return false;
  }
}

function createWorker(connection: NativeConnection, options: WorkerOptions): Promise<Worker> {
  const { namespace, taskQueue, activities, workflowBundle } = options;
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    maxConcurrentActivityTaskExecutions: options.maxConcurrentActivities,
    ...(workflowBundle === undefined
      ? { workflowsPath: WORKFLOWS_PATH }
      : { workflowBundle: { codePath: workflowBundle } }),
    interceptors: {
      activity: [traceActivity],
      // A bundle has them in it.
      workflowModules: workflowBundle === undefined ? [TRACE_PATH] : [],
    },
    maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
    maxHeartbeatThrottleInterval: HEARTBEAT_AT_MOST_EVERY,
    // Without a grace time a stop cuts every activity, and each waits out its full timeout.
    shutdownGraceTime: '10s',
    shutdownForceTime: '15s',
  });
}

/** Within the trace that its workflow handed on (workflows/trace.ts), which its log lines name. */
const traceActivity: ActivityInterceptorsFactory = () => {
  let traceparent: string | null = null;
  return {
    inbound: {
      execute(input, next) {
        const { traceparent: handedOn } = input.headers;
        traceparent = handedOn
          ? readTraceparent(defaultPayloadConverter.fromPayload(handedOn))
          : null;
        return withinTrace(traceparent, () => next(input));
      },
    },
    outbound: {
      getLogAttributes: (input, next) =>
        next(traceparent === null ? input : { ...input, trace_id: traceIdOf(traceparent) }),
    },
  };
};
