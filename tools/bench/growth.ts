/**
 * `npm run bench:growth` beside a running stack: what reads cost with 10 thousand, 100 thousand and 1
 * million finished orders. Each size has a database of its own in the stack's PostgreSQL and an API
 * process of its own, and all sizes are measured in turns, so that they have the same conditions. Prints
 * a table and writes growth.json into the stack's folder; `-- --report` also writes the table into
 * docs/growth.md. Other sizes: `-- 5000 50000`. The databases, about 13 GB, are dropped at the end;
 * `-- --keep` leaves them for another run.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readStackConfig } from '../../config.ts';
import { environmentBeside, loadAddresses, type Addresses } from '../../local/stack/addresses.ts';
import { becomesTrue, hasEnded, launch, nodeCommand, stop } from '../../local/stack/commands.ts';
import { createHome, type Home } from '../../local/stack/home.ts';
import { runningStack } from '../../local/stack/leftovers.ts';
import { migrate } from '../../local/stack/migrations.ts';
import { freePort } from '../../local/stack/ports.ts';
import { dropDatabase } from '../../local/stack/postgres.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { checkInvariants } from '../../prisma/operations/invariants.ts';
import { returnsOk } from '../http.ts';
import { UsageError, usageChecked, wholeNumber } from '../usage.ts';
import { backgroundReads, type BackgroundReads } from './growth/background.ts';
import { requestedReads, takeSample } from './growth/requests.ts';
import { tableOf, writeReport, type Measured, type Times } from './growth/report.ts';
import { seedOrders } from './growth/seed.ts';
import { createSender, percentile } from './load.ts';

const SIZES = [10_000, 100_000, 1_000_000];
const ROUNDS = 300;
/** So many more rounds before those that count. */
const WARM_UP = 0.1;
/** Of the queries without an API. */
const BACKGROUND_ROUNDS = 20;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
/** Of all invariants together, as `npm run audit` checks them. */
const AUDIT_TIMEOUT_MS = 300_000;
/** Nothing has moved the unfinished orders since the seed, which may have been kept. */
const AUDIT_GRACE_MS = 7 * 86_400_000;

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const { sizes, isReport, isKept } = readOptions(process.argv.slice(2));
  const home = createHome(readStackConfig().HOLDFAST_HOME);
  const addresses = await findStack(home);
  const shops: Shop[] = [];
  try {
    for (const orders of sizes) shops.push(await openShop(home, addresses, orders));
    const measured = await measure(shops);
    process.stdout.write(`${tableOf(measured)}\n`);
    await writeFile(join(home.path, 'growth.json'), JSON.stringify(measured, null, 2));
    if (isReport) await writeReport(measured);
  } finally {
    for (const shop of shops) await shop.close();
    if (!isKept) await Promise.all(sizes.map((orders) => dropDatabase(urlOf(addresses, orders))));
  }
}

function readOptions(args: readonly string[]) {
  const options = {
    report: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  } as const;
  const { values, positionals } = usageChecked(() =>
    parseArgs({ args: [...args], options, allowPositionals: true }),
  );
  const limits = { least: 1_000, most: 10_000_000 };
  const given = positionals.map((text) => wholeNumber('a number of orders', text, limits));
  return { sizes: given.length > 0 ? given : SIZES, isReport: values.report, isKept: values.keep };
}

/** Millions of rows are written only into the PostgreSQL of a stack of this machine. */
async function findStack(home: Home): Promise<Addresses> {
  if (runningStack(home) === null) throw new UsageError(`No stack runs on ${home.path}: npm start`);
  const addresses = await loadAddresses(home);
  if (addresses.ports.POSTGRES_PORT !== undefined) return addresses;
  throw new UsageError('The stack uses the PostgreSQL of DATABASE_URL: start one with its own.');
}

/** One size: its database, and an API process on it. */
interface Shop {
  readonly orders: number;
  readonly url: string;
  readonly db: Database;
  readonly api: string;
  close(): Promise<void>;
}

function urlOf({ databaseUrl }: Addresses, orders: number): string {
  const url = new URL(databaseUrl);
  url.pathname = `/bench_growth_${orders}`;
  return url.href;
}

async function openShop(home: Home, addresses: Addresses, orders: number): Promise<Shop> {
  const databaseUrl = urlOf(addresses, orders);
  await migrate({ databaseUrl });
  const db = createDatabase({ url: databaseUrl, poolSize: 4 });
  // The last thing that is seeded.
  if ((await db.maintenanceRun.count()) === 0) {
    const seedMs = await timed(() => seedOrders(databaseUrl, orders));
    process.stdout.write(`${orders} orders after ${(seedMs / 1_000).toFixed(0)} s\n`);
  }
  const { api, close } = await startApi(home, { ...addresses, databaseUrl });
  return {
    orders,
    url: databaseUrl,
    db,
    api,
    async close() {
      await close();
      await closeDatabase(db);
    },
  };
}

async function startApi(home: Home, addresses: Addresses) {
  const port = String(await freePort());
  const { databaseUrl: DATABASE_URL } = addresses;
  const own = { DATABASE_URL, ROLE: 'api', PORT: port, LOG_LEVEL: 'error' };
  const command = nodeCommand('main.ts', [], { ...environmentBeside(addresses), ...own });
  const child = launch(command, { logFile: home.logFile('bench-growth') });
  process.once('exit', () => void child.kill('SIGKILL'));
  const api = `http://127.0.0.1:${port}`;
  const limits = { timeoutMs: START_TIMEOUT_MS, everyMs: 100, alive: () => !hasEnded(child) };
  if (!(await becomesTrue(() => returnsOk(`${api}/readyz`), limits))) {
    throw new Error(`The API did not start: ${home.logFile('bench-growth')}`);
  }
  return { api, close: () => stop(child, { signal: 'SIGTERM', timeoutMs: STOP_TIMEOUT_MS }) };
}

async function measure(shops: readonly Shop[]): Promise<readonly Measured[]> {
  const requested = await inTurns(await Promise.all(shops.map(requestsOf)), ROUNDS);
  const own = shops.map(({ db }) => backgroundReads(db));
  const background = await inTurns(own, BACKGROUND_ROUNDS);
  const measured: Measured[] = [];
  for (const [at, shop] of shops.entries()) {
    const reads = { ...requested[at], ...background[at] };
    measured.push({ orders: shop.orders, reads, ...(await measureAudit(shop)) });
  }
  return measured;
}

async function requestsOf({ db, api }: Shop): Promise<BackgroundReads> {
  const send = createSender(api);
  const reads = Object.entries(requestedReads(await takeSample(db)));
  return Object.fromEntries(
    reads.map(([name, next]) => [
      name,
      async () => {
        const outgoing = next();
        const { status } = await send(outgoing, 0);
        if (status !== 200) throw new Error(`${outgoing.path} returned ${status}`);
      },
    ]),
  );
}

/** One read after the other, each at every size before the next. One that fails has no times. */
async function inTurns(
  bySize: readonly BackgroundReads[],
  rounds: number,
): Promise<readonly Measured['reads'][]> {
  const tookMs = bySize.map(
    (reads) => new Map<string, number[]>(Object.keys(reads).map((name) => [name, []])),
  );
  const failed = bySize.map(() => new Set<string>());
  for (let round = -Math.ceil(rounds * WARM_UP); round < rounds; round += 1) {
    for (const name of Object.keys(bySize[0] ?? {})) {
      for (const [at, reads] of bySize.entries()) {
        if (failed[at]?.has(name)) continue;
        try {
          const ms = await timed(async () => reads[name]?.());
          if (round >= 0) tookMs[at]?.get(name)?.push(ms);
        } catch (error) {
          process.stdout.write(
            `${name}: ${error instanceof Error ? error.message : String(error)}\n`,
          );
          failed[at]?.add(name);
        }
      }
    }
  }
  return tookMs.map((times, at) =>
    Object.fromEntries(
      [...times].map(([name, each]) => [name, failed[at]?.has(name) ? null : timesOf(each)]),
    ),
  );
}

async function measureAudit({ url }: Shop): Promise<Pick<Measured, 'auditMs' | 'unchecked'>> {
  const timeoutMs = AUDIT_TIMEOUT_MS;
  const db = createDatabase({ url, poolSize: 1, statementTimeoutMs: timeoutMs });
  const startedMs = performance.now();
  const limits = { timeoutMs, queryTimeoutMs: timeoutMs, graceMs: AUDIT_GRACE_MS };
  const results = await checkInvariants(db, limits);
  const auditMs = performance.now() - startedMs;
  await closeDatabase(db);
  const violated = results.find(({ violations }) => violations > 0);
  if (violated) throw new Error(`the orders violate ${violated.name}`);
  const unchecked = results.filter((each) => each.unchecked !== null).map(({ name }) => name);
  return { auditMs, unchecked };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

function timesOf(tookMs: readonly number[]): Times {
  return { p50: percentile(tookMs, 0.5), p99: percentile(tookMs, 0.99) };
}
