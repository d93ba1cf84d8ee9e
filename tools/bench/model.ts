/**
 * How many instances carry a rate of orders, by division: what one order costs, as measured, times the
 * rate, over what one instance gives. No queueing theory beyond the share of an instance that may be
 * busy. scale.ts prints it and keeps the tables of docs/scale.md.
 */

/** One order, from the request to rest; per part of the stack. */
export interface OrderCost {
  readonly cpuMs: { readonly app: number; readonly postgres: number; readonly temporal: number };
  readonly walBytes: number;
}

/** Measured by `npm run bench:peers` with 32 customers on two cores, everything on one machine. */
export const DOCUMENTED_COST: OrderCost = {
  cpuMs: { app: 63, postgres: 13, temporal: 21 },
  walBytes: 36_100,
};

interface Assumption {
  readonly value: number;
  readonly is: string;
  readonly source: string;
}

/** Every number that the model does not measure itself. */
export const ASSUMPTIONS = {
  apiShare: {
    value: 0.25,
    is: "share of the app's CPU that an API process uses; the rest is the worker's",
    source: 'measured: the same load on `ROLE=api` and `ROLE=worker` as two processes',
  },
  busyThread: {
    value: 0.7,
    is: 'share of its core that the one thread of a process may be busy',
    source: 'waiting grows with busy / (1 - busy): at 0.7 about twice the work itself',
  },
  databaseCores: {
    value: 32,
    is: 'cores of one PostgreSQL server',
    source: 'a common size of managed PostgreSQL; larger ones exist',
  },
  busyServer: {
    value: 0.6,
    is: 'share of its cores that a server may be busy',
    source: 'leaves room for vacuum, checkpoints, replicas and the loss of a node',
  },
  walMbPerSecond: {
    value: 200,
    is: 'MB of WAL per second that one PostgreSQL writes and a replica follows',
    source: 'assumed; replay on a standby is one process',
  },
  eventsPerOrder: {
    value: 7,
    is: 'events that one shipped order writes',
    source: 'counted in the log after 160 orders',
  },
  eventsPerPump: {
    value: 14_000,
    is: 'events per second through one subscription',
    source: 'measured: `npm run bench:events`, with a subscriber that only counts',
  },
  hotRowPerSecond: {
    value: 900,
    is: 'orders per second on one stock row',
    source: 'measured: `npm run bench:sale`; 1,800 of 32 products, 3,700 bare UPDATEs of one row',
  },
  hotShare: {
    value: 0.1,
    is: 'share of all orders that want the most wanted product',
    source: 'assumed; in a flash sale it is 1',
  },
  poolSize: {
    value: 20,
    is: 'database connections of one process',
    source: 'the default of `DATABASE_POOL`',
  },
  maxConnections: {
    value: 500,
    is: 'connections that one PostgreSQL serves well',
    source: 'assumed; each is a process of its own',
  },
  historyWrites: {
    value: 8,
    is: "writes of one order's workflow to Temporal's store",
    source: 'start, workflow tasks, signal, timer, end; from the recorded histories',
  },
  writesPerShard: {
    value: 100,
    is: 'writes per second to one history shard',
    source: 'a shard writes one after the other; 5 ms each, half busy',
  },
  storeCpuMs: {
    value: 14,
    is: "CPU ms of one order in PostgreSQL as Temporal's store",
    source: 'measured: `npm run bench:peers -- --temporal-postgres`, less what the orders take',
  },
  storeWalKib: {
    value: 82,
    is: "KiB of WAL of one order in PostgreSQL as Temporal's store",
    source: 'the same',
  },
  tasksPerOrder: {
    value: 3,
    is: 'workflow and activity tasks of one order through matching',
    source: 'from the recorded histories: steps are local activities and pass no queue',
  },
  tasksPerPartition: {
    value: 500,
    is: 'tasks per second through one partition of a task queue',
    source: 'assumed; the default is 4 partitions per queue',
  },
} as const satisfies Record<string, Assumption>;

export const RATES = [100, 1_000, 10_000] as const;

const of = (name: keyof typeof ASSUMPTIONS): number => ASSUMPTIONS[name].value;

/** Orders per second that one of each carries. */
export function carriesOf({ cpuMs, walBytes }: OrderCost): Readonly<Record<string, number>> {
  const server = of('databaseCores') * of('busyServer') * 1_000;
  const database = (ms: number, walKib: number) =>
    Math.min(server / ms, (of('walMbPerSecond') * 1_024) / walKib);
  return {
    'one API process': (of('busyThread') * 1_000) / (cpuMs.app * of('apiShare')),
    'one worker process': (of('busyThread') * 1_000) / (cpuMs.app * (1 - of('apiShare'))),
    'one PostgreSQL': database(cpuMs.postgres, walBytes / 1_024),
    "Temporal's services on as many cores": server / cpuMs.temporal,
    "one PostgreSQL as Temporal's store": database(of('storeCpuMs'), of('storeWalKib')),
    'one pump of a subscription': of('eventsPerPump') / of('eventsPerOrder'),
    'one stock row': of('hotRowPerSecond') / of('hotShare'),
  };
}

/** What cannot be had twice by a setting alone, and what is done when one no longer carries the rate. */
const REMEDIES: Readonly<Record<string, string>> = {
  'one PostgreSQL': 'orders by id over several databases, each with its share of the stock',
  "one PostgreSQL as Temporal's store": 'a cluster per database of orders, or Cassandra',
  'one pump of a subscription': 'the log in partitions by order id, each with its cursor and pump',
  'one stock row': 'several rows per product behind the functions of `prisma/catalog/stock.ts`',
};

/** The column of one rate. */
export function sizeFor(rate: number, cost: OrderCost): Readonly<Record<string, string>> {
  const carries = carriesOf(cost);
  const count = (what: string): number => Math.ceil(rate / (carries[what] ?? 0));
  const [api, workers] = [count('one API process'), count('one worker process')];
  const databases = count('one PostgreSQL');
  const connections = Math.ceil(of('maxConnections') / ((api + workers) / databases));
  return {
    'API processes, one core each': whole(api),
    'worker processes, one core each': whole(workers),
    'PostgreSQL servers for orders': whole(databases),
    'cores busy in PostgreSQL': whole((rate * cost.cpuMs.postgres) / 1_000),
    'WAL, MB/s': whole((rate * cost.walBytes) / 1_048_576),
    '`DATABASE_POOL` at most': whole(Math.min(of('poolSize'), connections)),
    'partitions of the event log': whole(count('one pump of a subscription')),
    'rows of the most wanted product': whole(count('one stock row')),
    "cores busy in Temporal's services": whole((rate * cost.cpuMs.temporal) / 1_000),
    "servers of Temporal's store": whole(count("one PostgreSQL as Temporal's store")),
    'history shards, a power of two': whole(
      2 ** Math.ceil(Math.log2((rate * of('historyWrites')) / of('writesPerShard'))),
    ),
    'partitions of the task queue `checkout`': whole(
      Math.max(4, Math.ceil((rate * of('tasksPerOrder')) / of('tasksPerPartition'))),
    ),
    'first limit': firstLimit(rate, carries),
  };
}

/** Of what there is one of: the first that does not carry the rate. */
function firstLimit(rate: number, carries: Readonly<Record<string, number>>): string {
  const [first] = limitsOf(carries).filter((what) => rate > (carries[what] ?? 0));
  return first ?? 'none: add processes';
}

function limitsOf(carries: Readonly<Record<string, number>>): readonly string[] {
  return Object.keys(REMEDIES).toSorted((a, b) => (carries[a] ?? 0) - (carries[b] ?? 0));
}

/** The tables of docs/scale.md. */
export function tablesOf(cost: OrderCost): string {
  const columns = RATES.map((rate) => sizeFor(rate, cost));
  const [first] = columns;
  const carries = carriesOf(cost);
  const carried = Object.entries(carries).map(([what, rate]) => [what, whole(rate)]);
  const limits = limitsOf(carries).map((what) => [what, REMEDIES[what] ?? '']);
  const sizes = Object.keys(first ?? {}).map((row) => [
    row,
    ...columns.map((column) => column[row] ?? ''),
  ]);
  const assumed = Object.values(ASSUMPTIONS).map(({ value, is, source }) => [
    is,
    value.toLocaleString('en'),
    source,
  ]);
  return [
    table(['carries', 'orders/s'], carried),
    table(['for', ...RATES.map((rate) => `${whole(rate)} orders/s`)], sizes),
    table(['limit, first one first', 'what is done'], limits),
    table(['assumption', 'value', 'source'], assumed),
  ].join('\n\n');
}

const MARKERS = ['<!-- model -->', '<!-- /model -->'] as const;

/** The document with the tables of the documented cost between its markers. Throws without markers. */
export function withTables(document: string): string {
  const [begin, end] = MARKERS;
  const [before, rest] = document.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error('the document has no markers');
  return `${before}${begin}\n\n${tablesOf(DOCUMENTED_COST)}\n\n${end}${after}`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

function whole(value: number): string {
  return Math.ceil(value).toLocaleString('en');
}
