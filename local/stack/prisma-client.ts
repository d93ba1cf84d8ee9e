/** Keeps prisma/generated in step with the schema, without downloading Prisma's engines. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { environment } from '../../config.ts';
import { run } from './commands.ts';
import { PROJECT } from './home.ts';

const GENERATE_TIMEOUT_MS = 120_000;
const GENERATED = join(PROJECT, 'prisma', 'generated');
const STAMP = join(GENERATED, '.schema-hash');

/** Generates the client when the schema or Prisma's version has changed. True when it did. */
export async function generateClient(): Promise<boolean> {
  const prisma = prismaCli();
  const wanted = await hash([join(PROJECT, 'prisma', 'schema.prisma'), prisma.manifest]);
  const found = existsSync(STAMP) ? await readFile(STAMP, 'utf8') : null;
  if (found === wanted) return false;
  await rm(GENERATED, { recursive: true, force: true });
  await run(
    {
      file: process.execPath,
      args: [prisma.entry, 'generate'],
      cwd: PROJECT,
      env: {
        ...environment(),
        // Generating needs no engine, but Prisma downloads one unless it is told it has it.
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        CHECKPOINT_DISABLE: '1',
      },
    },
    { timeoutMs: GENERATE_TIMEOUT_MS },
  );
  await writeFile(STAMP, wanted);
  return true;
}

function prismaCli(): { entry: string; manifest: string } {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve('prisma/package.json');
  return { manifest, entry: join(dirname(manifest), 'build', 'index.js') };
}

async function hash(files: readonly string[]): Promise<string> {
  const digest = createHash('sha256');
  for (const file of files) digest.update(await readFile(file));
  return digest.digest('hex');
}
