/**
 * Runs a suite of checkout workflows twice: with cached workflows, and with every workflow task
 * replayed from the start, where nondeterminism cannot hide.
 */
import { Client, Connection } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { registerSearchAttributes } from '../../temporal.ts';
import { createBench, type Bench } from './bench.ts';
import { createTimeSkippingEnv, quietTemporal, startDevServer } from './temporal.ts';

export interface RealTimeSuite {
  readonly bench: Bench;
}

export interface CheckoutSuite extends RealTimeSuite {
  readonly env: TestWorkflowEnvironment;
}

/** A server with its clients. `Env` is what a test may do with it. */
interface Opened<Env> {
  readonly env: Env;
  readonly client: Client;
  readonly connection: NativeConnection;
  close(): Promise<void>;
}

const WAYS = [
  { label: 'cached', cache: {} },
  { label: 'replayed at every task', cache: { maxCachedWorkflows: 0 } },
] as const;

/** On the server that skips time. `cached`: once only, for what takes long and has nothing new to replay. */
export function describeCheckout(
  name: string,
  define: (suite: CheckoutSuite) => void,
  ways: 'both' | 'cached' = 'both',
): void {
  const chosen = ways === 'both' ? WAYS : WAYS.slice(0, 1);
  describeOn(skippingTime, { name, ways: chosen, define });
}

/**
 * On the dev server: for updates that race with the order. The one that skips time may lose an update
 * that comes while a workflow task is under way.
 */
export function describeInRealTime(name: string, define: (suite: RealTimeSuite) => void): void {
  describeOn(inRealTime, { name, ways: WAYS, define });
}

function describeOn<Env>(
  open: () => Promise<Opened<Env>>,
  asked: {
    readonly name: string;
    readonly ways: readonly (typeof WAYS)[number][];
    readonly define: (suite: { readonly bench: Bench; readonly env: Env }) => void;
  },
): void {
  describe.each(asked.ways)(`${asked.name} ($label)`, ({ cache }) => {
    const opened: { server?: Opened<Env>; bench?: Bench } = {};
    beforeAll(async () => {
      const server = await open();
      opened.server = server;
      const { client, connection } = server;
      opened.bench = await createBench({ client, connection, ...cache });
    });
    afterEach(() => {
      opened.bench?.sandbox.faults.clear();
    });
    afterAll(async () => {
      await opened.bench?.close();
      await opened.server?.close();
    });
    asked.define({
      get bench() {
        if (!opened.bench) throw new Error('the bench opens before the first test');
        return opened.bench;
      },
      get env() {
        if (!opened.server) throw new Error('the server starts before the first test');
        return opened.server.env;
      },
    });
  });
}

async function skippingTime(): Promise<Opened<TestWorkflowEnvironment>> {
  const env = await createTimeSkippingEnv();
  const { client, nativeConnection: connection } = env;
  return { env, client, connection, close: () => env.teardown() };
}

async function inRealTime(): Promise<Opened<null>> {
  quietTemporal();
  const { address, namespace, stop } = await startDevServer();
  const line = await Connection.connect({ address });
  await registerSearchAttributes(line, namespace);
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection: line, namespace });
  const close = async (): Promise<void> => {
    await connection.close();
    await line.close();
    await stop();
  };
  return { env: null, client, connection, close };
}
