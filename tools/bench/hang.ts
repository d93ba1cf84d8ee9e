/**
 * `npm run bench:hang` beside a running stack: the payment provider hangs for a minute while 20
 * shoppers a second come. What they are answered, what others notice, and how it ends. Before and
 * after it come so few that a machine of two cores keeps up: what is measured is not a backlog.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { kinds, openLoad, percentile, type Answer } from './load.ts';
import { openBenchShop, type BenchShop } from './shop.ts';

const PER_SECOND = 20;
const ORDERS_PER_SECOND_WHEN_WELL = 3;
const BEFORE_MS = 20_000;
const HANG_MS = 60_000;
/** The breaker opens after five deadlines of 2 s and a look-up each. */
const OPENED_AFTER_MS = 10_000;
/** The breaker probes once a minute. */
const AFTER_MS = 75_000;

const LOOK_EVERY_MS = 10_000;

const MEMORY = /^process_resident_memory_bytes (\S+)$/m;
const RUNNING = /^holdfast_requests_running\{class="checkout"\} (\S+)$/m;
const CONNECTIONS = /^holdfast_database_connections_in_use\{pool="requests"\} (\S+)$/m;
const QUEUED = /^holdfast_requests_queued\{class="checkout"\} (\S+)$/m;

await main();

async function main(): Promise<void> {
  const shop = await openBenchShop();
  const before = await both(shop, ORDERS_PER_SECOND_WHEN_WELL, BEFORE_MS);
  report('before', before, await gauges(shop));
  await arm(shop, { mode: 'hang' });
  const watched = watchGauges(shop, HANG_MS);
  const hanging = await both(shop, PER_SECOND, HANG_MS);
  await arm(shop, null);
  report('hanging', hanging, await gauges(shop));
  for (const [second, state] of await watched) print('', `after ${second} s: ${state}`);
  const open = hanging.orders.filter(({ atMs }) => atMs > OPENED_AFTER_MS);
  print('open', `${kinds(open)}; ${times(open)}`);
  const after = await both(shop, ORDERS_PER_SECOND_WHEN_WELL, AFTER_MS);
  report('after', after, await gauges(shop));
  const first = after.orders.find(({ status }) => status === 201);
  print(
    'again',
    first ? `placed after ${(first.atMs / 1_000).toFixed(1)} s` : 'not within the time',
  );
}

interface Both {
  readonly orders: Answer[];
  readonly reads: Answer[];
}

async function both(
  { api: url, order, product }: BenchShop,
  ordersPerSecond: number,
  forMs: number,
): Promise<Both> {
  const [orders, reads] = await Promise.all([
    openLoad({ url, ask: order, perSecond: ordersPerSecond, forMs }),
    openLoad({ url, ask: product, perSecond: PER_SECOND, forMs }),
  ]);
  return { orders, reads };
}

function report(label: string, { orders, reads }: Both, state: string): void {
  print(label, `orders ${kinds(orders)}; ${times(orders)}`);
  print('', `reads  ${kinds(reads)}; ${times(reads)}`);
  print('', state);
}

async function arm({ sandbox }: BenchShop, fault: object | null): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  if (fault === null) {
    await fetch(`${sandbox}/faults`, { method: 'DELETE', signal });
    return;
  }
  await fetch(`${sandbox}/faults/payments/authorize`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fault),
    signal,
  });
}

async function gauges({ api }: BenchShop): Promise<string> {
  const answer = await fetch(`${api}/metrics`, { signal: AbortSignal.timeout(10_000) });
  const text = await answer.text();
  const read = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? NaN);
  const megabytes = Math.round(read(MEMORY) / 1_048_576);
  const crowd = `running ${read(RUNNING)}, queued ${read(QUEUED)}`;
  return `memory ${megabytes} MB, ${crowd}, connections ${read(CONNECTIONS)}`;
}

/** What the process holds as the hang goes on: none of it may grow. */
async function watchGauges(shop: BenchShop, forMs: number): Promise<[number, string][]> {
  const seen: [number, string][] = [];
  for (let atMs = LOOK_EVERY_MS; atMs < forMs; atMs += LOOK_EVERY_MS) {
    await delay(LOOK_EVERY_MS);
    seen.push([atMs / 1_000, await gauges(shop)]);
  }
  return seen;
}

function times(answers: readonly Answer[]): string {
  const at = (share: number): string => percentile(answers, share).toFixed(0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

function print(label: string, text: string): void {
  process.stdout.write(`${label.padEnd(8)} ${text}\n`);
}
