/**
 * What a load costs the running stack: processor time of each part from /proc (Linux), SQL statements
 * from pg_stat_statements, transactions and bytes of WAL. Nothing else may use the database meanwhile.
 */
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { PART_NAMES, type Home, type PartName } from '../../local/stack/home.ts';
import { runningPart } from '../../local/stack/leftovers.ts';

/** Sums since the start of the stack. */
export interface Cost {
  readonly cpuMs: Readonly<Record<PartName, number>>;
  readonly residentMb: Readonly<Record<PartName, number>>;
  readonly statements: number;
  readonly transactions: number;
  readonly walBytes: number;
}

/** A clock tick of /proc, USER_HZ: 100 a second on every Linux that Node supports. */
const TICK_MS = 10;
const PAGE_BYTES = 4_096;

export async function openCostMeter(home: Home, databaseUrl: string) {
  const client = new pg.Client({ connectionString: databaseUrl, statement_timeout: 10_000 });
  await client.connect();
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  return {
    async read(): Promise<Cost> {
      const processes = readProcesses();
      const partOf = (part: PartName) => familyOf(runningPart(home, part), processes);
      return { ...(await readDatabase(client)), ...sumByPart(partOf) };
    },
    /** Orders at rest: shipped, and the customer was told of it. */
    async countAtRest(): Promise<number> {
      const { rows } = await client.query<{ count: number }>(`
        SELECT count(*)::int AS count FROM events
        WHERE type = 'order.customer_notified' AND dedup_key = 'order.customer_notified/shipped'`);
      return rows[0]?.count ?? 0;
    },
    close: () => client.end(),
  };
}

async function readDatabase(client: pg.Client) {
  const { rows } = await client.query<{
    statements: number;
    transactions: number;
    walBytes: number;
  }>(`
    SELECT (SELECT sum(calls)::float8 FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = current_database()) AS statements,
      (SELECT (xact_commit + xact_rollback)::float8 FROM pg_stat_database
        WHERE datname = current_database()) AS transactions,
      (pg_current_wal_insert_lsn() - '0/0')::float8 AS "walBytes"`);
  const [read] = rows;
  if (!read) throw new Error('the database has no statistics');
  return read;
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly cpuMs: number;
  readonly residentMb: number;
}

function sumByPart(processesOf: (part: PartName) => readonly Process[]) {
  const sum = (of: 'cpuMs' | 'residentMb') => {
    const sums = { postgres: 0, temporal: 0, sandbox: 0, app: 0 };
    for (const part of PART_NAMES) {
      for (const process of processesOf(part)) sums[part] += process[of];
    }
    return sums;
  };
  return { cpuMs: sum('cpuMs'), residentMb: sum('residentMb') };
}

/** The process and all below it. */
function familyOf(root: number | null, processes: readonly Process[]): readonly Process[] {
  const own = processes.filter(({ pid }) => pid === root);
  const children = processes.filter(({ parent }) => parent === root);
  return [...own, ...children.flatMap(({ pid }) => familyOf(pid, processes))];
}

function readProcesses(): readonly Process[] {
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
