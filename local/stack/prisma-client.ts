/** Generates prisma/generated from the schema, without downloading Prisma's engines. */
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { environment } from '../../config.ts';
import { run } from './commands.ts';
import { PROJECT } from './home.ts';
import { generateIfStale } from './stamp.ts';

const GENERATE_TIMEOUT_MS = 120_000;
const GENERATED = join(PROJECT, 'prisma', 'generated');

/** Generates the client when the schema or Prisma's version has changed. True when it did. */
export function generateClient(): Promise<boolean> {
  const manifest = createRequire(import.meta.url).resolve('prisma/package.json');
  return generateIfStale({
    output: GENERATED,
    stamp: join(GENERATED, '.schema-hash'),
    sources: [join(PROJECT, 'prisma', 'schema.prisma'), manifest],
    generate: () => generate(join(dirname(manifest), 'build', 'index.js')),
  });
}

async function generate(prisma: string): Promise<void> {
  await rm(GENERATED, { recursive: true, force: true });
  await run(
    {
      file: process.execPath,
      args: [prisma, 'generate'],
      cwd: PROJECT,
      env: {
        ...environment(),
        // Generating needs no engine, but Prisma downloads one unless this variable names one.
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        CHECKPOINT_DISABLE: '1',
      },
    },
    { timeoutMs: GENERATE_TIMEOUT_MS },
  );
}
