/**
 * What a load costs the running stack: processor time of each part from /proc (Linux), SQL statements
 * from pg_stat_statements and bytes of WAL. Nothing else may use the database meanwhile.
 */
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { PART_NAMES, type PartName } from '../../local/stack/home.ts';
import { watchRest } from './rest.ts';

/** Sums since the start of the stack. */
export interface Cost {
  readonly cpuMs: Readonly<Record<PartName, number>>;
  readonly residentMb: Readonly<Record<PartName, number>>;
  /** Of all programs on the machine that are neither the stack's nor this one. */
  readonly otherCpuMs: number;
  readonly statements: number;
  readonly walBytes: number;
}

/** A clock tick of /proc, USER_HZ: 100 a second on every Linux that Node supports. */
const TICK_MS = 10;
const PAGE_BYTES = 4_096;

export type CostMeter = Awaited<ReturnType<typeof openCostMeter>>;

/** `pidOf` finds the process of a part each time anew; null when it does not run. */
export async function openCostMeter(databaseUrl: string, pidOf: (part: PartName) => number | null) {
  const client = new pg.Client({ connectionString: databaseUrl, statement_timeout: 10_000 });
  await client.connect();
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  return {
    async read(): Promise<Cost> {
      const parts = partsOf(pidOf, readProcesses());
      const sums = sumByPart(parts);
      const { user, system } = process.cpuUsage();
      const known = Object.values(sums.cpuMs).reduce(
        (sum, ms) => sum + ms,
        (user + system) / 1_000,
      );
      return { ...(await readDatabase(client)), ...sums, otherCpuMs: readBusyMs() - known };
    },
    atRest: watchRest(client),
    close: () => client.end(),
  };
}

async function readDatabase(client: pg.Client) {
  const { rows } = await client.query<{
    statements: number;
    walBytes: number;
  }>(`
    SELECT (SELECT sum(calls)::float8 FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = current_database() AND query NOT LIKE '%/* bench */%') AS statements,
      (pg_current_wal_insert_lsn() - '0/0')::float8 AS "walBytes"`);
  const [read] = rows;
  if (!read) throw new Error('the database has no statistics');
  return read;
}

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly cpuMs: number;
  readonly residentMb: number;
}

type Parts = Readonly<Record<PartName, readonly Process[]>>;

function partsOf(pidOf: (part: PartName) => number | null, processes: readonly Process[]): Parts {
  const family = (part: PartName) => familyOf(pidOf(part), processes);
  const [app, ...below] = family('app');
  return {
    postgres: family('postgres'),
    sandbox: family('sandbox'),
    app: app ? [app] : [],
    // What an app has started itself serves its engine, as Temporal does.
    temporal: [...family('temporal'), ...below],
  };
}

function sumByPart(parts: Parts) {
  const sum = (of: 'cpuMs' | 'residentMb') => {
    const sums = { postgres: 0, temporal: 0, sandbox: 0, app: 0 };
    for (const part of PART_NAMES) for (const each of parts[part]) sums[part] += each[of];
    return sums;
  };
  return { cpuMs: sum('cpuMs'), residentMb: sum('residentMb') };
}

/** The process and all below it. */
export function familyOf(root: number | null, processes: readonly Process[]): readonly Process[] {
  const own = processes.filter(({ pid }) => pid === root);
  const children = processes.filter(({ parent }) => parent === root);
  return [...own, ...children.flatMap(({ pid }) => familyOf(pid, processes))];
}

/** proc_stat(5): what all processors have worked, interrupts included. */
function readBusyMs(): number {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8').split(/\s+/);
  return (
    [user, nice, system, irq, softirq].reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS
  );
}

export function readProcesses(): readonly Process[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return [parseStat(readFileSync(`/proc/${name}/stat`, 'utf8'))];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/** proc_pid_stat(5): the fields after the name in brackets. Times include children that have ended. */
function parseStat(text: string): Process {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (at: number) => Number(fields[at - 3]);
  return {
    pid: Number.parseInt(text, 10),
    parent: field(4),
    cpuMs: (field(14) + field(15) + field(16) + field(17)) * TICK_MS,
    residentMb: (field(24) * PAGE_BYTES) / 1_048_576,
  };
}
