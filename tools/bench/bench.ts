/**
 * `npm run bench` beside a running stack: what one order costs and how long a shopper waits, at two
 * rates and with clients that wait for their responses. Prints a table and writes bench.json into the
 * stack's folder. Linux only.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from '../../local/stack/addresses.ts';
import { createHome, PART_NAMES } from '../../local/stack/home.ts';
import { openCostMeter, type Cost } from './cost.ts';
import { closedLoad, latency, openLoad, print, type LoadResult } from './load.ts';
import { openBenchShop } from './shop.ts';

const WARM_UP_MS = 8_000;
const LOAD_MS = 20_000;
const REST_WITHIN_MS = 120_000;
const POLL_MS = 20;

const home = createHome(readStackConfig().HOLDFAST_HOME);
const { databaseUrl } = await loadAddresses(home);
const shop = await openBenchShop();
const meter = await openCostMeter(home, databaseUrl);
const load = { url: shop.api, next: shop.order, forMs: LOAD_MS };

await measure(() => closedLoad({ ...load, forMs: WARM_UP_MS, clients: 8 }));
const rows = {
  '5 orders/s': await measure(() => openLoad({ ...load, perSecond: 5 })),
  '10 orders/s': await measure(() => openLoad({ ...load, perSecond: 10 })),
  '32 clients': await measure(() => closedLoad({ ...load, clients: 32 })),
};
for (const [name, row] of Object.entries(rows)) print(name, describe(row));
await writeFile(join(home.path, 'bench.json'), JSON.stringify(rows, null, 2));
await meter.close();

interface Row {
  readonly orders: number;
  readonly perSecond: number;
  readonly answerMs: { readonly p50: number; readonly p99: number };
  /** Per order. */
  readonly cpuMs: Readonly<Record<string, number>>;
  readonly statements: number;
  readonly transactions: number;
  readonly walBytes: number;
  readonly residentMb: Readonly<Record<string, number>>;
}

/** Runs the load and waits until all its orders are at rest. */
async function measure(run: () => Promise<LoadResult[]>): Promise<Row> {
  const restBefore = await meter.countAtRest();
  const before = await meter.read();
  const startedMs = performance.now();
  const results = await run();
  const orders = results.filter(({ status }) => status === 201).length;
  if (orders === 0) throw new Error('no order was placed');
  while ((await meter.countAtRest()) < restBefore + orders) {
    if (performance.now() - startedMs > LOAD_MS + REST_WITHIN_MS)
      throw new Error('orders do not come to rest');
    await delay(POLL_MS);
  }
  const tookMs = performance.now() - startedMs;
  return toRow({ orders, tookMs, results }, before, await meter.read());
}

function toRow(
  { orders, tookMs, results }: { orders: number; tookMs: number; results: readonly LoadResult[] },
  before: Cost,
  after: Cost,
): Row {
  const perOrder = (of: 'statements' | 'transactions' | 'walBytes') =>
    (after[of] - before[of]) / orders;
  const cpu = PART_NAMES.map((part) => [part, (after.cpuMs[part] - before.cpuMs[part]) / orders]);
  return {
    orders,
    perSecond: (orders * 1_000) / tookMs,
    answerMs: { p50: latency(results, 0.5), p99: latency(results, 0.99) },
    cpuMs: Object.fromEntries(cpu),
    statements: perOrder('statements'),
    transactions: perOrder('transactions'),
    walBytes: perOrder('walBytes'),
    residentMb: after.residentMb,
  };
}

function describe({ perSecond, answerMs, cpuMs, statements, walBytes }: Row): string {
  const parts = Object.entries(cpuMs).map(([part, ms]) => `${part} ${ms.toFixed(1)}`);
  const total = Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0);
  return [
    `${perSecond.toFixed(1)}/s to rest`,
    `p50 ${answerMs.p50.toFixed(0)} p99 ${answerMs.p99.toFixed(0)} ms`,
    `CPU ${total.toFixed(1)} ms (${parts.join(', ')})`,
    `${statements.toFixed(1)} statements`,
    `${(walBytes / 1_024).toFixed(0)} KiB of WAL`,
  ].join('; ');
}
