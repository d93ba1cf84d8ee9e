/**
 * Starts what every test file shares, once: one PostgreSQL with a migrated template database, and
 * the addresses of the Temporal servers. Leaves nothing behind, also on Ctrl-C.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { readStackConfig } from '../../config.ts';
import { becomesTrue, hasEnded, killGroup, launch, stop } from '../../local/stack/commands.ts';
import { compilePrograms } from '../../local/stack/compile.ts';
import { migrate } from '../../local/stack/migrations.ts';
import { freePort } from '../../local/stack/ports.ts';
import { createPostgres, isPostgresUp, postgresUrl } from '../../local/stack/postgres.ts';
import { generateClient } from '../../local/stack/prisma-client.ts';
import { findTemporal } from '../../local/stack/temporal.ts';
import { findTestServer } from '../../local/stack/test-server.ts';

const TEMPLATE = 'holdfast_template';
const START_TIMEOUT_MS = 60_000;

declare module 'vitest' {
  interface ProvidedContext {
    /** The migrated database that test databases are cloned from. Never connect to it. */
    templateUrl: string;
    testServerPath: string;
    temporalPath: string;
  }
}

/** Vitest calls this once before all files; what it returns is called once after all. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = {
    config: readStackConfig(),
    say: (line: string): void => void process.stderr.write(`${line}\n`),
  };
  // On a new machine these take minutes, once; no test's own deadline could allow for that.
  const testServerPath = await findTestServer(servers);
  const temporalPath = await findTemporal(servers);
  const [database] = await Promise.all([startDatabase(), makePrograms()]);
  project.provide('templateUrl', database.templateUrl);
  project.provide('testServerPath', testServerPath);
  project.provide('temporalPath', temporalPath);
  return database.stop;
}

async function makePrograms(): Promise<void> {
  await generateClient();
  await compilePrograms();
}

async function startDatabase(): Promise<{ templateUrl: string; stop: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  const postgres = await createPostgres({ dataDir: join(dir, 'postgres'), durable: false });
  await postgres.initialise();
  const port = await freePort();
  const server = launch(postgres.command(port), { logFile: join(dir, 'postgres.log') });
  const killIt = (): void => {
    killGroup(server.pid, 'SIGKILL');
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once('exit', killIt);
  const stopIt = async (): Promise<void> => {
    await stop(server, { signal: 'SIGINT', timeoutMs: 10_000 });
    process.off('exit', killIt);
    await rm(dir, { recursive: true, force: true });
  };
  const templateUrl = postgresUrl(port, TEMPLATE);
  try {
    const limits = { timeoutMs: START_TIMEOUT_MS, everyMs: 50, alive: () => !hasEnded(server) };
    if (!(await becomesTrue(() => isPostgresUp(templateUrl), limits))) {
      throw new Error(`PostgreSQL did not start: see ${join(dir, 'postgres.log')}`);
    }
    await migrate({ databaseUrl: templateUrl });
    return { templateUrl, stop: stopIt };
  } catch (error) {
    await stopIt();
    throw error;
  }
}
