/** The real Temporal servers for tests: the one that skips time, and the dev server. */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { inject } from 'vitest';
import { registerSearchAttributes } from '../../temporal.ts';
import {
  becomesTrue,
  ended,
  hasEnded,
  killGroup,
  launch,
  stop,
} from '../../local/stack/commands.ts';
import { tail } from '../../local/stack/output.ts';
import { freePort } from '../../local/stack/ports.ts';
import { isTemporalUp } from '../../local/stack/search-attributes.ts';
import { devServerCommand } from '../../local/stack/temporal.ts';

const START_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 3;

/**
 * For clients of the server that skips time: it takes the SDK's pings, every 30 s, for an attack and
 * closes the line, and what was asked just then is lost.
 */
export const NO_PINGS = {
  'grpc.keepalive_time_ms': 600_000,
  'grpc.keepalive_permit_without_calls': 0,
} as const;

/**
 * A server on which timers and retries pass at once. Time is global to it: one per test file. Call
 * `teardown()` at the end.
 */
export async function createTimeSkippingEnv(): Promise<TestWorkflowEnvironment> {
  quietTemporal();
  const env = await startTestServer();
  await registerSearchAttributes(env.connection, env.namespace ?? 'default');
  return env;
}

/** The SDK gives the server five seconds; on a busy machine a Java process takes more now and then. */
const START_TRIES = 6;

async function startTestServer(): Promise<TestWorkflowEnvironment> {
  const executable = { type: 'existing-path', path: inject('testServerPath') } as const;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
    } catch (error) {
      const late = error instanceof Error && error.message.includes('did not start within');
      if (!late || attempt === START_TRIES) throw error;
    }
  }
}

/** Day by day: the server closes the line of a call that is under way for minutes, and it comes again. */
export async function letDaysPass(env: TestWorkflowEnvironment, days: number): Promise<void> {
  for (let day = 0; day < days; day += 1) await env.sleep('1 day');
}

let quiet = false;

/** Every injected fault is a warning of the SDK's. Must run before anything else of the SDK's does. */
export function quietTemporal(): void {
  if (quiet) return;
  quiet = true;
  const logging = { filter: 'ERROR', forward: {} } as const;
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging } });
}

export interface DevServer {
  readonly address: string;
  readonly namespace: string;
  /** Takes the server down; what it knows stays. */
  halt(): Promise<void>;
  /** SIGKILL: what it has not written is gone. */
  kill(): Promise<void>;
  /** Brings it up again at the same address. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The dev server as the local stack runs it, on a free port, in real time. `namespaces`: others beside
 * the default one, for shops that must not see each other.
 */
export async function startDevServer(
  options: { readonly namespaces?: readonly string[] } = {},
): Promise<DevServer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnFreePort(options);
    } catch (error) {
      // A port that was free is now and then somebody's connection before the server listens on it.
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function startOnFreePort(options: {
  readonly namespaces?: readonly string[];
}): Promise<DevServer> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-temporal-'));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const dbFile = join(dir, 'temporal.db');
  const own = devServerCommand({ binary: inject('temporalPath'), port, dbFile });
  const more = (options.namespaces ?? []).flatMap((name) => ['--namespace', name]);
  const command = { ...own, args: [...own.args, ...more] };
  let server: ChildProcess | null = null;
  const killIt = (): void => killGroup(server?.pid, 'SIGKILL');
  process.once('exit', killIt);
  const halt = async (): Promise<void> => {
    if (server) await stop(server, { signal: 'SIGTERM', timeoutMs: 10_000 });
    server = null;
  };
  const kill = async (): Promise<void> => {
    if (server) killGroup(server.pid, 'SIGKILL');
    if (server) await ended(server);
    server = null;
  };
  const stopIt = async (): Promise<void> => {
    await halt();
    process.off('exit', killIt);
    await rm(dir, { recursive: true, force: true });
  };
  const logFile = join(dir, 'temporal.log');
  const resume = async (): Promise<void> => {
    const started = launch(command, { logFile });
    server = started;
    const limits = { timeoutMs: START_TIMEOUT_MS, everyMs: 100, alive: () => !hasEnded(started) };
    if (await becomesTrue(() => isTemporalUp(address, 'default'), limits)) return;
    const said = tail(logFile);
    await stopIt();
    throw new Error(`The Temporal dev server did not start. Its last lines:\n${said}`);
  };
  await resume();
  return { address, namespace: 'default', halt, kill, resume, stop: stopIt };
}
