/**
 * Durable tables over one append-only file of JSON lines. A line is one commit: it is written before
 * the response is sent, so the state survives SIGKILL; a torn last line was never committed. The file is
 * rewritten to the rows it holds when it is opened, and when it has grown by more than they take.
 * Without a path the tables are in memory. One process owns a file.
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

export interface Table<T> {
  readonly size: number;
  get(key: string): T | undefined;
  /** Puts the row. A new row beyond the table's limit evicts the oldest one. */
  set(key: string, row: T): void;
  delete(key: string): void;
  clear(): void;
  /** Oldest first. */
  entries(): IterableIterator<[string, T]>;
  values(): IterableIterator<T>;
}

interface TableSpec<T> {
  readonly name: string;
  readonly row: z.ZodType<T>;
  readonly limit: number;
}

export interface Journal {
  /** Throws JournalError when a row does not match the schema. */
  table<T>(spec: TableSpec<T>): Table<T>;
  /** Everything `work` puts becomes one commit. `work` must be synchronous. */
  transact<R>(work: () => R): R;
  close(): void;
}

/** `[table, key, row]` puts, `[table, key]` deletes, `[table]` clears. */
type Operation = readonly [string, string, unknown] | readonly [string, string] | readonly [string];
type RawTables = Map<string, Map<string, unknown>>;

const commitSchema = z.array(
  z.union([
    z.tuple([z.string(), z.string(), z.unknown()]),
    z.tuple([z.string(), z.string()]),
    z.tuple([z.string()]),
  ]),
);

const ROWS_PER_LINE = 500;
/** A busy hour of a shop. */
const REWRITE_AFTER_BYTES = 64 * 1_048_576;

/** A file this version cannot read. The message names it and says what to do. */
export class JournalError extends Error {}

/** Opens or creates the file at `path`; `null` keeps the tables in memory only. Throws JournalError. */
export function openJournal(
  path: string | null,
  { rewriteAfterBytes = REWRITE_AFTER_BYTES } = {},
): Journal {
  const stored: RawTables = path === null ? new Map() : replay(path);
  const opened: RawTables = new Map();
  let file = path === null ? null : rewrite(path, stored);
  let grownBytes = 0;
  let uncommitted: Operation[] | null = null;

  function commit(operations: readonly Operation[]): void {
    if (path === null || file === null) return;
    grownBytes += writeLine(file.fd, operations, file.bytes + grownBytes);
    if (grownBytes < Math.max(rewriteAfterBytes, file.bytes)) return;
    closeSync(file.fd);
    file = rewrite(path, new Map([...stored, ...opened]));
    grownBytes = 0;
  }

  function put(operation: Operation): void {
    if (uncommitted !== null) uncommitted.push(operation);
    else commit([operation]);
  }

  return {
    table: (spec) => {
      const rows = new Map(
        [...(stored.get(spec.name) ?? [])].map(([key, row]) => {
          const known = spec.row.safeParse(row);
          if (!known.success) throw unreadable(path ?? '', `${spec.name} ${key}`);
          return [key, known.data];
        }),
      );
      stored.delete(spec.name);
      opened.set(spec.name, rows);
      return createTable(spec, rows, put);
    },
    transact: (work) => {
      if (uncommitted !== null) return work();
      const operations: Operation[] = [];
      uncommitted = operations;
      try {
        return work();
      } finally {
        // Also when `work` threw: the file must have what memory has.
        uncommitted = null;
        if (operations.length > 0) commit(operations);
      }
    },
    close: () => {
      if (file !== null) closeSync(file.fd);
      file = null;
    },
  };
}

function createTable<T>(
  { name, limit }: TableSpec<T>,
  rows: Map<string, T>,
  put: (operation: Operation) => void,
): Table<T> {
  function remove(key: string): void {
    if (rows.delete(key)) put([name, key]);
  }
  return {
    get size() {
      return rows.size;
    },
    get: (key) => rows.get(key),
    set: (key, row) => {
      rows.set(key, row);
      put([name, key, row]);
      const oldest = rows.size > limit ? rows.keys().next().value : undefined;
      if (oldest !== undefined) remove(oldest);
    },
    delete: remove,
    clear: () => {
      rows.clear();
      put([name]);
    },
    entries: () => rows.entries(),
    values: () => rows.values(),
  };
}

function replay(path: string): RawTables {
  const tables: RawTables = new Map();
  if (!existsSync(path)) return tables;
  const bytes = readFileSync(path);
  let start = 0;
  for (let end = bytes.indexOf(10, start); end !== -1; end = bytes.indexOf(10, start)) {
    const commit = readCommit(bytes.toString('utf8', start, end));
    if (commit === null) throw unreadable(path, `byte ${start}`);
    for (const operation of commit) apply(tables, operation);
    start = end + 1;
  }
  return tables;
}

function readCommit(line: string): readonly Operation[] | null {
  try {
    return commitSchema.parse(JSON.parse(line));
  } catch {
    // The caller names the file and the position.
    return null;
  }
}

function unreadable(path: string, where: string): JournalError {
  return new JournalError(`${path} cannot be read at ${where}; move it away to start empty.`);
}

function apply(tables: RawTables, operation: Operation): void {
  const [name, key] = operation;
  const rows = tables.get(name) ?? new Map<string, unknown>();
  tables.set(name, rows);
  if (key === undefined) rows.clear();
  else if (operation.length === 3) rows.set(key, operation[2]);
  else rows.delete(key);
}

/** Replaces the file by one with the rows only; returns it open for appending, with its size. */
function rewrite(path: string, tables: RawTables): { readonly fd: number; readonly bytes: number } {
  mkdirSync(dirname(path), { recursive: true });
  const next = `${path}.next`;
  const fd = openSync(next, 'w');
  let bytes = 0;
  for (const [name, rows] of tables) {
    const puts = [...rows].map(([key, row]): Operation => [name, key, row]);
    for (let n = 0; n < puts.length; n += ROWS_PER_LINE) {
      bytes += writeLine(fd, puts.slice(n, n + ROWS_PER_LINE), bytes);
    }
  }
  renameSync(next, path);
  return { fd, bytes };
}

/**
 * One write per line, at the end of the file; a file system may take a large one in parts. Gives its size.
 * Throws when the disk is full, and leaves no part of the line for the next one to be appended to.
 */
function writeLine(fd: number, operations: readonly Operation[], end: number): number {
  const line = Buffer.from(`${JSON.stringify(operations)}\n`);
  try {
    for (let n = 0; n < line.length;) n += writeSync(fd, line, n, line.length - n, end + n);
  } catch (error) {
    ftruncateSync(fd, end);
    throw error;
  }
  return line.length;
}
