/**
 * Starts what every test file shares, once: PostgreSQL with a migrated template database, the Temporal
 * dev server, the compiled programs and workflows. Leaves nothing behind, also on Ctrl-C or a kill.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { defaultVariable, readStackConfig } from '../../config.ts';
import { bundleWorkflows } from '../../local/stack/bundle.ts';
import { compilePrograms, DIST, PROGRAMS } from '../../local/stack/compile.ts';
import type { Home } from '../../local/stack/home.ts';
import { migrate } from '../../local/stack/migrations.ts';
import { TEMPORAL_ATTEMPTS } from '../../local/stack/parts.ts';
import { FAILPOINT_PROGRAM } from './programs.ts';
import { choosePort } from './ports.ts';
import { createPostgres, postgresUrl } from '../../local/stack/postgres.ts';
import { generateClient } from '../../local/stack/prisma-client.ts';
import { isTemporalUp } from '../../local/stack/search-attributes.ts';
import { openRunHome } from '../../local/stack/run-home.ts';
import { createPart, type Part } from '../../local/stack/supervisor.ts';
import { devServerCommand, findTemporal } from '../../local/stack/temporal.ts';
import { findTestServer } from '../../local/stack/test-server.ts';
import { launchReaper, RUN_HOME_VARIABLE, stopLeftovers } from '../../local/stack/leftovers.ts';

const TEMPLATE = 'holdfast_template';
const START_TIMEOUT_MS = 60_000;

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of this run: data and logs of its servers. Removed at its end. */
    runDir: string;
    /** The migrated database that test databases are cloned from. Never connect to it. */
    templateUrl: string;
    /** The dev server that test files share, each in namespaces of its own. */
    temporalAddress: string;
    temporalPath: string;
    testServerPath: string;
    /** The path of the workflows, compiled. */
    workflowBundle: string;
    /** Of each worker; the SDK's own default unless the project says otherwise. */
    maxCachedWorkflows: number | undefined;
    /** Orders are inspectable unless a test says otherwise. */
    inspectable: boolean | undefined;
  }
}

/** Vitest calls this once before all files; what it returns is called once after all. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  try {
    return await start(project);
  } catch (error) {
    // Vitest would otherwise report every test as one that did not run.
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`\nThe tests cannot start. ${reason}\n`);
    process.exit(1);
  }
}

async function start(project: TestProject): Promise<() => Promise<void>> {
  const config = readStackConfig();
  const servers = { config, say: (line: string) => void process.stderr.write(`${line}\n`) };
  // On a new machine these take minutes, once; no test's own deadline could allow for that.
  const testServerPath = await findTestServer(servers);
  const temporalPath = await findTemporal(servers);
  const home = await openRunHome(config, 'tests');
  const dismissReaper = launchReaper(home);
  defaultVariable(RUN_HOME_VARIABLE, home.path);
  const workflowBundle = join(DIST, 'workflow-bundle.js');
  const [database, temporal] = await Promise.all([
    startPostgres(home),
    startTemporal(home, temporalPath),
    generateClient().then(() => compilePrograms([...PROGRAMS, FAILPOINT_PROGRAM])),
    bundleWorkflows(workflowBundle),
  ]);
  project.provide('runDir', home.path);
  project.provide('templateUrl', database.templateUrl);
  project.provide('temporalAddress', temporal.address);
  project.provide('temporalPath', temporalPath);
  project.provide('testServerPath', testServerPath);
  project.provide('workflowBundle', workflowBundle);
  return async () => {
    await Promise.all([database.part.stop(), temporal.part.stop()]);
    await stopLeftovers(home);
    dismissReaper();
    await rm(home.path, { recursive: true, force: true });
  };
}

async function startPostgres(home: Home): Promise<{ part: Part; templateUrl: string }> {
  const postgres = await createPostgres({ dataDir: home.postgres, durable: false });
  await postgres.initialize();
  const port = await choosePort();
  const templateUrl = postgresUrl(port, TEMPLATE);
  const part = createPart(
    {
      name: 'postgres',
      command: postgres.command(port),
      output: 'file',
      isReady: () => postgres.isUp(port),
      startTimeoutMs: START_TIMEOUT_MS,
      stopSignal: 'SIGINT',
      stopTimeoutMs: 10_000,
    },
    home,
  );
  await part.start();
  await migrate({ databaseUrl: templateUrl });
  return { part, templateUrl };
}

async function startTemporal(home: Home, binary: string): Promise<{ part: Part; address: string }> {
  const port = await choosePort();
  const address = `127.0.0.1:${port}`;
  const part = createPart(
    {
      name: 'temporal',
      command: devServerCommand({ binary, port, dbFile: home.temporal }),
      output: 'file',
      isReady: () => isTemporalUp(address, 'default'),
      startTimeoutMs: START_TIMEOUT_MS,
      attempts: TEMPORAL_ATTEMPTS,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 10_000,
    },
    home,
  );
  await part.start();
  return { part, address };
}
