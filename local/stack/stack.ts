/** Starts the stack's parts, in parallel where possible, and stops each before those it needs. */
import type { StackConfig } from '../../config.ts';
import type { Addresses } from './addresses.ts';
import { bundleWorkflows } from './bundle.ts';
import { compilePrograms } from './compile.ts';
import { PART_NAMES } from './home.ts';
import type { Home } from './home.ts';
import { migrate } from './migrations.ts';
import { dim, say, step } from './output.ts';
import { appPart, postgresPart, sandboxPart, temporalPart } from './parts.ts';
import { createPostgres } from './postgres.ts';
import { generateClient } from './prisma-client.ts';
import { createPart } from './supervisor.ts';
import type { Part, PartSpec } from './supervisor.ts';
import { prepareExternalServer } from './search-attributes.ts';
import { findTemporal } from './temporal.ts';

export interface Stack {
  /** Resolves when the app is ready. Throws a message for people when a part does not start. */
  start(): Promise<void>;
  /** Stops the parts in reverse order. Bounded by each part's own limit. */
  stop(): Promise<void>;
  kill(): void;
}

interface Context {
  readonly config: StackConfig;
  readonly home: Home;
  readonly addresses: Addresses;
}

export function createStack(context: Context): Stack {
  const parts: Part[] = [];
  let stopped = false;
  const startPart = async (spec: PartSpec): Promise<void> => {
    if (stopped) throw new Error('stopped while starting');
    const part = createPart(spec, context.home);
    parts.push(part);
    await part.start();
  };
  return {
    start: async () => {
      await Promise.all([
        startSandbox(context, startPart),
        step('workflows', async () =>
          noteOf(await bundleWorkflows(context.home.workflowBundle), 'bundled'),
        ),
        startData(context, startPart),
        startTemporal(context, startPart),
      ]);
      await step('catalog', () => seedCatalog(context));
      await step('app', async () => {
        await startPart(appPart(context.home, context.addresses, context.config.LOG_LEVEL));
        return context.addresses.api;
      });
    },
    stop: async () => {
      stopped = true;
      for (const name of PART_NAMES.toReversed()) {
        const part = parts.find((candidate) => candidate.name === name);
        await part?.stop();
      }
    },
    kill: () => {
      for (const part of parts) part.kill();
    },
  };
}

type StartPart = (spec: PartSpec) => Promise<void>;

/** The first program: the client and the compiled programs are made before it. */
async function startSandbox({ home, addresses }: Context, startPart: StartPart): Promise<void> {
  await step('client', async () => noteOf(await generateClient(), 'generated'));
  await step('programs', async () => noteOf(await compilePrograms(), 'compiled'));
  await step('sandbox', async () => {
    await startPart(sandboxPart(home, addresses));
    return addresses.sandbox;
  });
}

async function startData({ home, addresses }: Context, startPart: StartPart): Promise<void> {
  const port = addresses.ports.POSTGRES_PORT;
  if (port === undefined) {
    say(`  postgres     ${dim('    -  ')}  external (DATABASE_URL)`);
  } else {
    await step('postgres', async () => {
      const postgres = await createPostgres({ dataDir: home.postgres, durable: true });
      await postgres.initialize();
      await startPart(postgresPart(postgres, port));
      return `127.0.0.1:${port}`;
    });
  }
  await step('migrations', async () => {
    const applied = await migrate({ databaseUrl: addresses.databaseUrl });
    return applied.length === 0 ? 'up to date' : `${applied.length} applied`;
  });
}

async function startTemporal(context: Context, startPart: StartPart): Promise<void> {
  const { config, home, addresses } = context;
  const { TEMPORAL_PORT: port, TEMPORAL_UI_PORT: uiPort } = addresses.ports;
  await step('temporal', async () => {
    if (port === undefined || uiPort === undefined) {
      await prepareExternalServer();
      return 'external (TEMPORAL_ADDRESS)';
    }
    const binary = await findTemporal({ config, say: (line) => say(`  ${line}`) });
    await startPart(temporalPart(home, addresses, { binary, port, uiPort }));
    return `${addresses.temporal}, UI http://127.0.0.1:${uiPort}`;
  });
}

async function seedCatalog({ addresses }: Context): Promise<string> {
  // Imported here: they import the generated client, which may not have existed before.
  const [{ closeDatabase, createDatabase }, { seed }] = await Promise.all([
    import('../../prisma/client/client.ts'),
    import('../../prisma/seed.ts'),
  ]);
  const db = createDatabase({ url: addresses.databaseUrl, poolSize: 2 });
  try {
    await seed(db);
  } finally {
    await closeDatabase(db);
  }
  return 'seeded';
}

function noteOf(done: boolean, verb: string): string {
  return done ? verb : 'up to date';
}
