/**
 * The programs as plain JavaScript, each in one file: a killed process restarts in half the time
 * that compiling it at its start takes. When sources have changed since, the sources are run.
 */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PROJECT } from './home.ts';

/** Filled by `npm run build`, and again whenever it is missing or stale. */
export const DIST = join(PROJECT, 'dist');

export const PROGRAMS = ['main.ts', 'local/sandbox/main.ts'] as const;
/** Files that a program reads at run time from its own folder, with their places there. */
function dataFiles(): readonly (readonly [from: string, to: string])[] {
  const folders = [
    ['api/console/assets', 'assets'],
    ['local/web/assets', 'assets'],
    ['local/shop/pictures', 'pictures'],
  ] as const;
  const inFolders = folders.flatMap(([from, to]) =>
    readdirSync(join(PROJECT, from)).map((name) => [`${from}/${name}`, `${to}/${name}`] as const),
  );
  return [['prisma/invariants.sql', 'invariants.sql'], ...inFolders];
}

interface Stamp {
  /** By the file system's clock. */
  readonly builtAtMs: number;
  readonly inputs: readonly string[];
}

/** Compiles what is stale. True when it did. The Prisma client must have been generated. */
export async function compilePrograms(programs: readonly string[] = PROGRAMS): Promise<boolean> {
  if (programs.every((program) => compiledProgram(program) !== null)) return false;
  // Imported here: it starts a process of its own, and is rarely needed.
  const { build } = await import('esbuild');
  const builtAtMs = Date.now();
  const { outputFiles, metafile } = await build({
    absWorkingDir: PROJECT,
    entryPoints: [...programs],
    outdir: DIST,
    outbase: PROJECT,
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    keepNames: true,
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  for (const { path, contents } of outputFiles) await replaceFile(path, contents);
  const files = dataFiles();
  for (const [from, to] of files) {
    const contents = await readFile(join(PROJECT, from));
    const folders = new Set(programs.map((program) => join(DIST, dirname(program))));
    for (const folder of folders) await replaceFile(join(folder, to), contents);
  }
  const data = files.map(([from]) => from);
  // All inputs for each program: after a change it may need one that it does not need today.
  const stamp: Stamp = { builtAtMs, inputs: [...Object.keys(metafile.inputs), ...data] };
  for (const program of programs) await replaceFile(stampFile(program), JSON.stringify(stamp));
  return true;
}

/** The compiled program's path, or null when there is none or its sources have changed since. */
export function compiledProgram(script: string): string | null {
  const file = join(DIST, script.replace(/\.ts$/, '.js'));
  if (!existsSync(file) || !existsSync(stampFile(script))) return null;
  const { builtAtMs, inputs } = readStamp(script);
  const isNewer = (input: string): boolean => {
    const stat = statSync(join(PROJECT, input), { throwIfNoEntry: false });
    return stat === undefined || stat.mtimeMs >= builtAtMs;
  };
  return inputs.some(isNewer) ? null : file;
}

function readStamp(script: string): Stamp {
  // oxlint-disable-next-line typescript/consistent-type-assertions -- written by compilePrograms
  return JSON.parse(readFileSync(stampFile(script), 'utf8')) as Stamp;
}

function stampFile(script: string): string {
  return join(DIST, script.replace(/\.ts$/, '.stamp.json'));
}

/** A process that starts meanwhile reads the old file or the new one, whole. */
export async function replaceFile(file: string, contents: string | Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}.partial`;
  await writeFile(partial, contents);
  await rename(partial, file);
}
