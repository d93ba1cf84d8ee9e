/**
 * `npm run bench:same-key` beside a running stack: 1,000 keys, each sent fifty times at once, every
 * request retried until its response is final. Exits with 1 unless each key has one order and one
 * response body.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createSender, kinds, print, type LoadRequest, type LoadResult } from './load.ts';
import { openBenchShop } from './shop.ts';

const KEYS = 1_000;
const REQUESTS_EACH = 50;
/** Few enough that no request is rejected for overload. */
const CONCURRENT_KEYS = 4;
const RETRY_AFTER_MS = 250;
const RETRY_BUDGET_MS = 300_000;
const PROGRESS_EVERY = 100;

const startedMs = performance.now();
const shop = await openBenchShop();
const send = createSender(shop.api);
const requests = Array.from({ length: KEYS }, () => shop.order());
const bodies: (readonly string[])[] = [];
const results: Pick<LoadResult, 'status' | 'code'>[] = [];
await Promise.all(Array.from({ length: CONCURRENT_KEYS }, sendAll));
send.close();

const same = bodies.filter((each) => each.length === 1).length;
const ids = new Set(bodies.flat().map(orderIdOf));
print('keys', `${KEYS}, each sent ${REQUESTS_EACH} times at once`);
print('results', kinds(results));
print('bodies', `${same} of ${KEYS} keys have one body`);
print('orders', `${ids.size}`);
print('took', `${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
process.exitCode = same === KEYS && ids.size === KEYS ? 0 : 1;

async function sendAll(): Promise<void> {
  for (let next = requests.pop(); next !== undefined; next = requests.pop()) {
    const request = next;
    const sent = Array.from({ length: REQUESTS_EACH }, () => sendUntilFinal(request));
    bodies.push([...new Set(await Promise.all(sent))]);
    if (bodies.length % PROGRESS_EVERY === 0) print('', `${bodies.length} keys`);
  }
}

/** The body of the final response. */
async function sendUntilFinal(request: LoadRequest): Promise<string> {
  const deadline = performance.now() + RETRY_BUDGET_MS;
  while (performance.now() < deadline) {
    const { status, body, code } = await send(request, 0);
    results.push({ status, code });
    const isTransient = status === 0 || status >= 500 || code === 'request_in_flight';
    if (!isTransient) return body;
    await delay(RETRY_AFTER_MS);
  }
  return `no order within ${RETRY_BUDGET_MS / 1_000} s`;
}

function orderIdOf(body: string): string {
  return /"id":"(ord_[^"]+)"/.exec(body)?.[1] ?? body;
}
