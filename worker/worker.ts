/** A worker that polls one task queue and is recreated after a failure. */
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker, type NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { unlessAborted } from '../temporal/connection.ts';
import { traceActivity, traceSinks } from './trace.ts';

export interface WorkerOptions {
  readonly connected: () => Promise<NativeConnection | null>;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly activities: object;
  /** A pump occupies a slot for minutes, so the events queue needs many. */
  readonly maxConcurrentActivities: number;
  /**
   * Path of a prebuilt bundle. Without it the workflows are bundled at startup. Null: the task queue has
   * activities only.
   */
  readonly workflowBundle: string | undefined | null;
  /** Waits for this before its own creation, which takes most of a processor's time for a while. */
  readonly after?: Promise<void>;
  readonly log: Logger;
}

export interface StartedWorker {
  /** Resolves when the worker polls, or when the first attempt to create it has failed. Never rejects. */
  readonly attempted: Promise<void>;
  stop(): Promise<void>;
}

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;
const CHECK_EVERY_MS = 1_000;
const CHECK_DEADLINE_MS = 2_000;
/** Each cached workflow costs memory. A larger cache helps only above about 100 orders per second. */
const MAX_CACHED_WORKFLOWS = 600;
/**
 * By default the SDK throttles heartbeats to 80 % of the heartbeat timeout. For a pump's 5 s that
 * leaves one second for delays, after which two workers pump. This interval leaves three seconds.
 */
const MAX_HEARTBEAT_INTERVAL = '2 seconds';
const WORKFLOWS_PATH = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
const TRACE_PATH = fileURLToPath(new URL('../workflows/trace.ts', import.meta.url));

/** Starts polling once Temporal is connected. `stop` leaves activities 15 s to finish. */
export function startWorker(options: WorkerOptions): StartedWorker {
  const stopping = new AbortController();
  let current: Worker | null = null;
  let settleAttempt: () => void = () => undefined;
  const attempted = new Promise<void>((resolve) => (settleAttempt = resolve));

  async function runOnce(connection: NativeConnection): Promise<void> {
    const worker = await createWorker(connection, options).finally(settleAttempt);
    current = worker;
    try {
      const ran = worker.run();
      // Stopped during creation: only a worker that has run releases its connection.
      if (stopping.signal.aborted) worker.shutdown();
      await ran;
    } finally {
      current = null;
    }
  }

  async function pause(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  async function runUntilStopped(): Promise<void> {
    // A worker may be stopped before there was a connection.
    const connection = await unlessAborted(options.connected(), stopping.signal);
    if (connection === null) return;
    if (options.after) await unlessAborted(options.after, stopping.signal);
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      if (!(await isReachable(connection))) {
        await pause(CHECK_EVERY_MS);
        continue;
      }
      const startedAt = performance.now();
      try {
        await runOnce(connection);
      } catch (error) {
        // An activity that outlasted the grace period is run again elsewhere after its heartbeat timeout.
        if (stopping.signal.aborted) options.log.info({ err: error }, 'worker stopped');
        else options.log.error({ err: error }, 'worker failed, recreating it');
      }
      if (performance.now() - startedAt > MAX_BACKOFF_MS) backoffMs = FIRST_BACKOFF_MS;
      await pause(backoffMs);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
    }
  }

  const running = runUntilStopped();
  return {
    attempted,
    async stop() {
      stopping.abort();
      if (current?.getState() === 'RUNNING') current.shutdown();
      await running;
    },
  };
}

/**
 * A worker created while Temporal is unreachable fails and blocks its task queue until it is garbage
 * collected, so reachability is checked first. temporal/connection.ts logs the outage.
 */
async function isReachable(connection: NativeConnection): Promise<boolean> {
  const check = (): Promise<unknown> => connection.workflowService.getSystemInfo({});
  try {
    await connection.withDeadline(Date.now() + CHECK_DEADLINE_MS, check);
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
    ...workflowsOf(workflowBundle),
    interceptors: {
      activity: [traceActivity],
      // A bundle already contains them.
      workflowModules: workflowBundle === undefined ? [TRACE_PATH] : [],
    },
    sinks: traceSinks,
    maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
    maxHeartbeatThrottleInterval: MAX_HEARTBEAT_INTERVAL,
    // Without a grace period every running activity is lost and waits for its full timeout.
    shutdownGraceTime: '10s',
    shutdownForceTime: '15s',
  });
}

function workflowsOf(bundle: WorkerOptions['workflowBundle']) {
  if (bundle === null) return {};
  return bundle === undefined
    ? { workflowsPath: WORKFLOWS_PATH }
    : { workflowBundle: { codePath: bundle } };
}
