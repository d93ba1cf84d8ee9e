/**
 * Durable tables over one append-only file of JSON lines. A line is one commit: it is written before
 * an answer leaves, so the state survives SIGKILL; a torn last line is a commit that never was.
 * Without a path everything stays in memory. One process owns a file.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

export interface Table<T> {
  readonly size: number;
  get(key: string): T | undefined;
  /** Puts the row. A new row beyond the table's limit pushes the oldest one out. */
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
  table<T>(spec: TableSpec<T>): Table<T>;
  /** Everything `work` puts becomes one commit. `work` must be synchronous. */
  transact<R>(work: () => R): R;
  /** Rewrites the file if much of it is past. For the start, when nobody waits. */
  tidy(): void;
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

/** Below this many operations a file is never rewritten: reading it again costs milliseconds. */
const COMPACT_FROM = 20_000;
/** Operations in the file per live row: rewriting stalls calls, so it is done early at the start. */
const COMPACT_RATIO = 4;
const COMPACT_RATIO_AT_START = 1.5;
const ROWS_PER_LINE = 500;

/** A file this version cannot read. The message names it and says what to do. */
export class JournalError extends Error {}

/**
 * Opens or creates the file at `path` and replays it; `null` keeps the tables in memory only.
 * Throws JournalError.
 */
export function openJournal(path: string | null): Journal {
  const past = path === null ? { tables: new Map(), operations: 0 } : replay(path);
  const tables: RawTables = new Map();
  let fd = path === null ? null : openSync(path, 'a');
  let operations = past.operations;
  let open: Operation[] | null = null;

  function commit(work: readonly Operation[]): void {
    if (fd === null || work.length === 0) return;
    writeLine(fd, work);
    operations += work.length;
    compact(COMPACT_RATIO);
  }

  function compact(ratio: number): void {
    if (path === null || fd === null) return;
    if (operations <= COMPACT_FROM || operations <= ratio * live(tables)) return;
    closeSync(fd);
    operations = rewrite(path, tables);
    fd = openSync(path, 'a');
  }

  function put(operation: Operation): void {
    if (open === null) commit([operation]);
    else open.push(operation);
  }

  return {
    table: (spec) => {
      const rows = readRows(spec, past.tables.get(spec.name), path);
      tables.set(spec.name, rows);
      return createTable(spec, rows, put);
    },
    transact: (work) => {
      if (open !== null) return work();
      const operationsOfWork: Operation[] = [];
      open = operationsOfWork;
      try {
        return work();
      } finally {
        // Also when `work` threw: what memory already shows, the file must show too.
        open = null;
        commit(operationsOfWork);
      }
    },
    tidy: () => compact(COMPACT_RATIO_AT_START),
    close: () => {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}

function createTable<T>(
  spec: TableSpec<T>,
  rows: Map<string, T>,
  put: (operation: Operation) => void,
): Table<T> {
  function remove(key: string): void {
    if (rows.delete(key)) put([spec.name, key]);
  }
  return {
    get size() {
      return rows.size;
    },
    get: (key) => rows.get(key),
    set: (key, row) => {
      rows.set(key, row);
      put([spec.name, key, row]);
      if (rows.size > spec.limit) for (const oldest of firstKey(rows)) remove(oldest);
    },
    delete: remove,
    clear: () => {
      rows.clear();
      put([spec.name]);
    },
    entries: () => rows.entries(),
    values: () => rows.values(),
  };
}

function firstKey(rows: ReadonlyMap<string, unknown>): string[] {
  const first = rows.keys().next();
  return first.done === true ? [] : [first.value];
}

function readRows<T>(
  spec: TableSpec<T>,
  raw: Map<string, unknown> | undefined,
  path: string | null,
): Map<string, T> {
  const rows = new Map<string, T>();
  for (const [key, row] of raw ?? []) {
    const known = spec.row.safeParse(row);
    if (!known.success) throw unreadable(path ?? '', `${spec.name} ${key}`);
    rows.set(key, known.data);
  }
  return rows;
}

function replay(path: string): { tables: RawTables; operations: number } {
  mkdirSync(dirname(path), { recursive: true });
  const tables: RawTables = new Map();
  let operations = 0;
  if (!existsSync(path)) return { tables, operations };
  const bytes = readFileSync(path);
  let start = 0;
  for (let end = bytes.indexOf(10, start); end !== -1; end = bytes.indexOf(10, start)) {
    const commit = readCommit(bytes.toString('utf8', start, end));
    if (commit === null) throw unreadable(path, `byte ${start}`);
    for (const operation of commit) apply(tables, operation);
    operations += commit.length;
    start = end + 1;
  }
  if (start < bytes.length) truncateSync(path, start);
  return { tables, operations };
}

function readCommit(line: string): readonly Operation[] | null {
  try {
    return commitSchema.parse(JSON.parse(line));
  } catch {
    // The caller says which file and where.
    return null;
  }
}

function unreadable(path: string, where: string): JournalError {
  return new JournalError(`${path} cannot be read at ${where}; move it away to begin anew.`);
}

function apply(tables: RawTables, operation: Operation): void {
  const [name, key] = operation;
  const rows = tables.get(name) ?? new Map<string, unknown>();
  tables.set(name, rows);
  if (key === undefined) rows.clear();
  else if (operation.length === 3) rows.set(key, operation[2]);
  else rows.delete(key);
}

/** Writes only the live rows to a new file and puts it in the old one's place. */
function rewrite(path: string, tables: RawTables): number {
  const next = `${path}.next`;
  const fd = openSync(next, 'w');
  let written = 0;
  for (const [name, rows] of tables) {
    let line: Operation[] = [];
    for (const [key, row] of rows) {
      line.push([name, key, row]);
      written += 1;
      if (line.length === ROWS_PER_LINE) {
        writeLine(fd, line);
        line = [];
      }
    }
    if (line.length > 0) writeLine(fd, line);
  }
  closeSync(fd);
  renameSync(next, path);
  return written;
}

function live(tables: RawTables): number {
  let rows = 0;
  for (const table of tables.values()) rows += table.size;
  return rows;
}

/** One write per line; a file system may take a large one in parts. */
function writeLine(fd: number, operations: readonly Operation[]): void {
  const bytes = Buffer.from(`${JSON.stringify(operations)}\n`);
  for (let offset = 0; offset < bytes.length;) offset += writeSync(fd, bytes, offset);
}
