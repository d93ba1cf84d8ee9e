/** A copy of the product in which the diffs of the documents are applied and their samples are files. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { PROJECT } from '../../local/stack/home.ts';
import { applyDiff } from './apply-diff.ts';
import { fencesOf } from './markdown.ts';
import { makeDir } from './run-files.ts';

const run = promisify(execFile);
const LEFT_OUT = new Set(['.git', '.holdfast', 'dist', 'docs', 'node_modules', 'test']);

/** Copies the sources, without tests, and applies every diff. Throws when one does not fit. */
export async function copyWithDiffs(): Promise<string> {
  const copy = makeDir('documented-code');
  for (const entry of readdirSync(PROJECT)) {
    if (!LEFT_OUT.has(entry))
      await cp(join(PROJECT, entry), join(copy, entry), { recursive: true });
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(copy, 'node_modules'));
  for (const { text } of fencesOf('diff')) applyDiff(copy, text);
  return copy;
}

/** Writes each sample in TypeScript into a file of its own, named by its document. */
export function writeSamples(copy: string): void {
  mkdirSync(join(copy, 'samples'));
  for (const [index, { document, info, text }] of fencesOf('ts').entries()) {
    if (info !== '') continue;
    const name = `${document.replaceAll(/[^\w]+/g, '-')}-${index}.ts`;
    writeFileSync(
      join(copy, 'samples', name),
      text.includes('import ') ? text : `${text}export {};\n`,
    );
  }
}

/** What the compiler says about the copy; empty when it compiles. */
export async function compile(copy: string): Promise<string> {
  const tsc = join(PROJECT, 'node_modules', 'typescript', 'lib', 'tsc.js');
  try {
    const { stdout } = await run(process.execPath, [tsc, '--noEmit', '-p', copy]);
    return stdout;
  } catch (error) {
    if (typeof error !== 'object' || error === null || !('stdout' in error)) throw error;
    return String(error.stdout).replaceAll(relative(PROJECT, copy), '');
  }
}
