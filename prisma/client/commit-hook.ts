/**
 * Calls a watcher before and after every commit, of a transaction or of a single statement. For tests
 * that need to know where a process dies; it changes nothing and is off by default.
 */
import type { PrismaPg } from '@prisma/adapter-pg';
import { EVENT_TYPES, type EventType } from '../../domain/order.ts';

/** What a commit makes durable. */
export interface Written {
  /** Types of the events it writes. */
  readonly events: readonly EventType[];
  /** `<table>.insert` or `<table>.update`, in the order of the statements. */
  readonly writes: readonly string[];
}

export type CommitWatcher = (written: Written, moment: 'before' | 'after') => void;

type Adapter = Awaited<ReturnType<PrismaPg['connect']>>;
type Transaction = Awaited<ReturnType<Adapter['startTransaction']>>;
type Query = Parameters<Adapter['queryRaw']>[0];

/** The same adapter, watched. */
export function watchCommits(factory: PrismaPg, watcher: CommitWatcher) {
  const connect = async (): Promise<Adapter> => watchAdapter(await factory.connect(), watcher);
  return { provider: 'postgres', adapterName: factory.adapterName, connect } as const;
}

function watchAdapter(adapter: Adapter, watcher: CommitWatcher): Adapter {
  const begin = adapter.startTransaction.bind(adapter);
  adapter.startTransaction = async (isolation) => watchTransaction(await begin(isolation), watcher);
  onQuery(adapter, async (query, run) => committed(writtenBy(query), watcher, run));
  return adapter;
}

function watchTransaction(transaction: Transaction, watcher: CommitWatcher): Transaction {
  const soFar = { events: new Array<EventType>(), writes: new Array<string>() };
  onQuery(transaction, async (query, run) => {
    if (query.sql === 'COMMIT') return committed(soFar, watcher, run);
    const { events, writes } = writtenBy(query);
    soFar.events.push(...events);
    soFar.writes.push(...writes);
    return run();
  });
  return transaction;
}

async function committed<T>(
  written: Written,
  watcher: CommitWatcher,
  run: () => Promise<T>,
): Promise<T> {
  if (written.writes.length === 0) return run();
  watcher(written, 'before');
  const result = await run();
  watcher(written, 'after');
  return result;
}

function onQuery(
  queryable: Pick<Adapter, 'queryRaw' | 'executeRaw'>,
  around: <T>(query: Query, run: () => Promise<T>) => Promise<T>,
): void {
  const queryRaw = queryable.queryRaw.bind(queryable);
  const executeRaw = queryable.executeRaw.bind(queryable);
  queryable.queryRaw = (query) => around(query, () => queryRaw(query));
  queryable.executeRaw = (query) => around(query, () => executeRaw(query));
}

/** Prisma and this folder write keywords in upper case and names in lower case. */
const WRITE = /\b(INSERT INTO|UPDATE) (?:"public"\.)?"?([a-z_]+)/g;

function writtenBy({ sql, args }: Query): Written {
  const writes = [...sql.matchAll(WRITE)].map(
    ([, verb, table]) => `${table}.${verb === 'UPDATE' ? 'update' : 'insert'}`,
  );
  if (!writes.includes('events.insert')) return { events: [], writes };
  return { events: EVENT_TYPES.filter((type) => args.includes(type)), writes };
}
