/**
 * Temporal for tests: a namespace on the dev server that all files share, a dev server of one's own to
 * take down, a server that skips time, and workers on any of them.
 */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type RuntimeOptions,
  type WorkerOptions,
} from '@temporalio/worker';
import { afterAll, beforeAll, inject } from 'vitest';
import { registerSearchAttributes } from '../../temporal/connection.ts';
import { traceSinks } from '../../worker/trace.ts';
import { eventually } from './eventually.ts';

/**
 * For clients of the server that skips time: it takes the SDK's pings, every 30 s, for an attack and
 * closes the connection, and what was asked just then is lost.
 */
export const NO_PINGS = {
  'grpc.keepalive_time_ms': 600_000,
  'grpc.keepalive_permit_without_calls': 0,
} as const;
const RETENTION = msToTs('1 day');
/** The SDK gives the Java server five seconds; on a busy machine it takes more now and then. */
const START_ATTEMPTS = 6;

/** One namespace of a server, with the clients that speak to it. */
export interface Temporal {
  readonly address: string;
  readonly namespace: string;
  readonly client: Client;
  readonly connection: NativeConnection;
  close(): Promise<void>;
}

/** A new namespace on the shared dev server, or on another one. It knows our search attributes. */
export async function openNamespace(address = inject('temporalAddress')): Promise<Temporal> {
  const namespace = `test-${randomUUID()}`;
  const grpc = await Connection.connect({ address });
  const connection = await NativeConnection.connect({ address });
  const workflowExecutionRetentionPeriod = RETENTION;
  await grpc.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
  // The server's own cache of namespaces learns of it within moments.
  await eventually(() => registerSearchAttributes(grpc, namespace));
  return {
    address,
    namespace,
    client: new Client({ connection: grpc, namespace }),
    connection,
    async close() {
      await connection.close();
      await grpc.close();
    },
  };
}

/** A server on which timers and retries pass at once, with its environment to skip time by. */
export interface SkippingTemporal extends Temporal {
  readonly env: TestWorkflowEnvironment;
}

/** Time is global to it: one per test file, at least. */
export async function openTimeSkipping(): Promise<SkippingTemporal> {
  const env = await startTestServer();
  const { address, client, nativeConnection: connection, namespace = 'default' } = env;
  await registerSearchAttributes(env.connection, namespace);
  return { env, address, client, connection, namespace, close: () => env.teardown() };
}

async function startTestServer(): Promise<TestWorkflowEnvironment> {
  const executable = { type: 'existing-path', path: inject('testServerPath') } as const;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
    } catch (error) {
      const late = error instanceof Error && error.message.includes('did not start within');
      if (!late || attempt === START_ATTEMPTS) throw error;
    }
  }
}

/** Day by day: the server closes the connection of a call that takes minutes, and it is sent again. */
export async function skipDays(env: TestWorkflowEnvironment, days: number): Promise<void> {
  for (let day = 0; day < days; day += 1) await env.sleep('1 day');
}

export interface RunningWorker {
  /** Resolves when its last task is done. */
  stop(): Promise<void>;
}

/** A worker that runs, with the workflows as they are unless `workflowsPath` names others. */
export async function openWorker(
  { connection, namespace }: Pick<Temporal, 'connection' | 'namespace'>,
  options: Pick<WorkerOptions, 'taskQueue' | 'activities' | 'workflowsPath'>,
): Promise<RunningWorker> {
  const maxCachedWorkflows = inject('maxCachedWorkflows');
  const worker = await Worker.create({
    connection,
    namespace,
    ...(options.workflowsPath === undefined && {
      workflowBundle: { codePath: inject('workflowBundle') },
    }),
    ...(maxCachedWorkflows !== undefined && { maxCachedWorkflows }),
    sinks: traceSinks,
    // So long the tasks of a stopped worker's workflows wait for it before another gets them.
    stickyQueueScheduleToStartTimeout: '1 second',
    ...options,
  });
  const running = worker.run();
  return {
    async stop() {
      worker.shutdown();
      await running;
    },
  };
}

/** Every injected fault is a warning of the SDK's. */
const QUIET: RuntimeOptions = {
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
};
let isQuiet = false;

/** Must run before anything else of the SDK's does. */
export function quietTemporal(): void {
  if (isQuiet) return;
  isQuiet = true;
  Runtime.install(QUIET);
}

/** Another runtime of the SDK's for one test file, whose connections must not outlive its tests. */
export function useRuntime(options: RuntimeOptions): void {
  const replaceBy = async (next: RuntimeOptions): Promise<void> => {
    await Runtime.instance().shutdown();
    Runtime.install(next);
  };
  beforeAll(() => replaceBy(options));
  afterAll(() => replaceBy(QUIET));
}
