/** A Temporal dev server of one's own, as the local stack runs it: for tests that take it down. */
import type { ChildProcess } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import {
  becomesTrue,
  ended,
  hasEnded,
  killGroup,
  launch,
  stop,
} from '../../local/stack/commands.ts';
import { tail } from '../../local/stack/output.ts';

import { isTemporalUp } from '../../local/stack/search-attributes.ts';
import { devServerCommand } from '../../local/stack/temporal.ts';
import { choosePort } from './ports.ts';
import { makeDir, serverLog } from './run-files.ts';

const START_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 3;

export interface DevServer {
  readonly address: string;
  /** Takes the server down; its data stays. */
  halt(): Promise<void>;
  /** SIGKILL: what it has not written is lost. */
  kill(): Promise<void>;
  /** Brings it up again at the same address. */
  resume(): Promise<void>;
  close(): Promise<void>;
}

/** Starts one on a free port. `flags` as of `temporal server start-dev`. */
export async function startDevServer(flags: readonly string[] = []): Promise<DevServer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnFreePort(flags);
    } catch (error) {
      // A port that was free is now and then another connection's before the server listens on it.
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function startOnFreePort(flags: readonly string[]): Promise<DevServer> {
  const port = await choosePort();
  const address = `127.0.0.1:${port}`;
  const dbFile = join(makeDir('temporal'), 'temporal.db');
  // For the run's reaper, which stops what a killed run leaves.
  const pidFile = join(inject('runDir'), 'run', `temporal-${port}.pid`);
  const own = devServerCommand({ binary: inject('temporalPath'), port, dbFile });
  const command = { ...own, args: [...own.args, ...flags] };
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
  const close = async (): Promise<void> => {
    await halt();
    process.off('exit', killIt);
    rmSync(pidFile, { force: true });
  };
  const logFile = serverLog(`temporal-${port}`);
  const resume = async (): Promise<void> => {
    const started = launch(command, { logFile });
    server = started;
    if (started.pid !== undefined) writeFileSync(pidFile, String(started.pid));
    const limits = { timeoutMs: START_TIMEOUT_MS, everyMs: 100, alive: () => !hasEnded(started) };
    if (await becomesTrue(() => isTemporalUp(address, 'default'), limits)) return;
    await close();
    throw new Error(`The Temporal dev server did not start. Its last lines:\n${tail(logFile)}`);
  };
  await resume();
  return { address, halt, kill, resume, close };
}
