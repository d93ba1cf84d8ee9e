/** Reads the project's documents and the tables in them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { PROJECT } from '../../local/stack/home.ts';

export function read(file: string): string {
  return readFileSync(join(PROJECT, file), 'utf8');
}

export function lines(file: string): string[] {
  return read(file).split('\n');
}

/** The cells of every row of every table. */
export function rows(file: string): string[][] {
  return lines(file)
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** The rows of the table whose header begins so. */
export function rowsOf(file: string, first: string, second = ''): string[][] {
  const all = rows(file);
  const isHeader = (row: string[]): boolean => /^-+$/.test(row[0] ?? '');
  const header = all.findIndex(
    ([name = '', next = ''], index) =>
      name.startsWith(first) && next.startsWith(second) && isHeader(all[index + 1] ?? []),
  );
  const body = all.slice(header + 2);
  const nextTable = body.findIndex(isHeader);
  expect(header, `${file}: the table "${first}"`).toBeGreaterThanOrEqual(0);
  return nextTable === -1 ? body : body.slice(0, nextTable - 1);
}

export function unquoted(cell: string): string {
  return cell.replaceAll('`', '');
}
