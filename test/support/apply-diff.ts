/** Applies the diffs of the documents, whose hunks have no line numbers. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Changes the files below the folder. Throws when a hunk is not found exactly once. */
export function applyDiff(folder: string, diff: string): void {
  for (const part of diff.split(/^(?=--- )/m)) {
    const [, from = '', to = ''] = /^--- (\S+)\n\+\+\+ b\/(\S+)\n/.exec(part) ?? [];
    if (to === '') throw new Error(`not a diff: ${part.slice(0, 80)}`);
    const file = join(folder, to);
    const hunks = part.split(/^@@.*\n/m).slice(1);
    const before = from === '/dev/null' ? '' : readFileSync(file, 'utf8');
    writeFileSync(
      file,
      hunks.reduce((text, hunk) => applyHunk(text, hunk, to), before),
    );
  }
}

function applyHunk(text: string, hunk: string, file: string): string {
  const lines = hunk.replace(/\n$/, '').split('\n');
  const side = (other: string): string =>
    lines
      .filter((line) => !line.startsWith(other))
      .map((line) => `${line.slice(1)}\n`)
      .join('');
  const [before, after] = [side('+'), side('-')];
  if (before === '' && text === '') return after;
  const parts = before === '' ? [] : text.split(before);
  if (parts.length === 2) return parts.join(after);
  throw new Error(`${file} has the following ${Math.max(parts.length - 1, 0)} times:\n${before}`);
}
