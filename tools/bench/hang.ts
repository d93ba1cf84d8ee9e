/**
 * `npm run bench:hang` beside a running stack: the payment provider hangs for a minute under 20
 * orders per second. Prints what clients of orders and of products see before, during and after it.
 * Before and after, the rate is low enough for two cores: no backlog is measured.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createSandboxClient } from '../sandbox-client.ts';
import { kinds, openLoad, print, summary } from './load.ts';
import { openBenchShop } from './shop.ts';

const PER_SECOND = 20;
const USUAL_ORDERS_PER_SECOND = 3;
const BEFORE_MS = 20_000;
const HANG_MS = 60_000;
/** The circuit breaker opens after five timeouts of 2 s and a look-up each. */
const OPENED_AFTER_MS = 10_000;
/** The circuit breaker probes once a minute. */
const AFTER_MS = 75_000;
const GAUGES_INTERVAL_MS = 10_000;
const GAUGES_TIMEOUT_MS = 10_000;

const MEMORY = /^process_resident_memory_bytes (\S+)$/m;
const RUNNING = /^holdfast_requests_running\{class="checkout"\} (\S+)$/m;
const QUEUED = /^holdfast_requests_queued\{class="checkout"\} (\S+)$/m;
const CONNECTIONS = /^holdfast_database_connections_in_use\{pool="requests"\} (\S+)$/m;

const shop = await openBenchShop();
const sandbox = createSandboxClient({ url: shop.sandbox });
await measure('before', USUAL_ORDERS_PER_SECOND, BEFORE_MS);
await sandbox.arm('payments/authorize', { mode: 'hang' });
const watching = watchGauges(HANG_MS);
const hanging = await measure('hanging', PER_SECOND, HANG_MS);
await sandbox.clearFaults();
for (const line of await watching) print('', line);
const open = hanging.filter(({ atMs }) => atMs > OPENED_AFTER_MS);
print('open', `${kinds(open)}; ${summary(open)}`);
const after = await measure('after', USUAL_ORDERS_PER_SECOND, AFTER_MS);
const first = after.find(({ status }) => status === 201);
print('again', first ? `placed after ${(first.atMs / 1_000).toFixed(1)} s` : 'not placed in time');

/** Places orders and reads products, and prints both. */
async function measure(label: string, ordersPerSecond: number, forMs: number) {
  const [orders, reads] = await Promise.all([
    openLoad({ url: shop.api, next: shop.order, perSecond: ordersPerSecond, forMs }),
    openLoad({ url: shop.api, next: shop.product, perSecond: PER_SECOND, forMs }),
  ]);
  print(label, `orders ${kinds(orders)}; ${summary(orders)}`);
  print('', `reads  ${kinds(reads)}; ${summary(reads)}`);
  print('', await gauges());
  return orders;
}

async function gauges(): Promise<string> {
  const signal = AbortSignal.timeout(GAUGES_TIMEOUT_MS);
  const text = await (await fetch(`${shop.api}/metrics`, { signal })).text();
  const read = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? NaN);
  const megabytes = Math.round(read(MEMORY) / 1_048_576);
  const requests = `running ${read(RUNNING)}, queued ${read(QUEUED)}`;
  return `memory ${megabytes} MB, ${requests}, connections ${read(CONNECTIONS)}`;
}

/** What the process holds during the hang: none of it may grow. */
async function watchGauges(forMs: number): Promise<readonly string[]> {
  const lines: string[] = [];
  for (let atMs = GAUGES_INTERVAL_MS; atMs < forMs; atMs += GAUGES_INTERVAL_MS) {
    await delay(GAUGES_INTERVAL_MS);
    lines.push(`after ${atMs / 1_000} s: ${await gauges()}`);
  }
  return lines;
}
