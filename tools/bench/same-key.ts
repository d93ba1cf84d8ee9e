/**
 * `npm run bench:same-key` beside a running stack: 1,000 keys, each sent fifty times at once. Every
 * post is repeated until it is answered for good; then there is one order per key and one body. Ends
 * with 1 when there is not.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createSender, type Ask } from './load.ts';
import { openBenchShop } from './shop.ts';

const KEYS = 1_000;
const EACH = 50;
/** So that what is tried is the key and not the request queue. */
const KEYS_AT_ONCE = 4;
const AGAIN_AFTER_MS = 250;
const PATIENCE_MS = 300_000;
const PROGRESS_EVERY = 100;

process.exitCode = await main();

async function main(): Promise<number> {
  const shop = await openBenchShop();
  const send = createSender(shop.api);
  const bodies: (readonly string[])[] = [];
  const answers = new Map<number, number>();
  const startedMs = performance.now();
  const asks = Array.from({ length: KEYS }, () => shop.order());
  const sendAll = async (ask: Ask): Promise<void> => {
    const all = Array.from({ length: EACH }, () => untilPlaced(send, ask, answers));
    bodies.push([...new Set(await Promise.all(all))]);
    if (bodies.length % PROGRESS_EVERY === 0) print('', `${bodies.length} keys`);
  };
  const lane = async (): Promise<void> => {
    for (let ask = asks.pop(); ask !== undefined; ask = asks.pop()) await sendAll(ask);
  };
  await Promise.all(Array.from({ length: KEYS_AT_ONCE }, lane));
  send.close();

  const same = bodies.filter((each) => each.length === 1).length;
  const ids = new Set(bodies.flat().map(parseOrderId));
  const counts = [...answers].map(([status, times]) => `${status} x ${times}`).join(', ');
  print('keys', `${KEYS}, each sent ${EACH} times at once`);
  print('answers', counts);
  print('bodies', `${same} of ${KEYS} keys have one body`);
  print('orders', `${ids.size}`);
  print('took', `${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
  return same === KEYS && ids.size === KEYS ? 0 : 1;
}

/** The body of the 201, asked for again as long as the answer is about now and not about the order. */
async function untilPlaced(
  send: ReturnType<typeof createSender>,
  ask: Ask,
  answers: Map<number, number>,
): Promise<string> {
  const endsMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endsMs) {
    const { status, body, code } = await send(ask, 0);
    answers.set(status, (answers.get(status) ?? 0) + 1);
    if (status === 201) return body;
    const passes = status === 0 || status >= 500 || code === 'request_in_flight';
    if (!passes) return body;
    await delay(AGAIN_AFTER_MS);
  }
  return `no order within ${PATIENCE_MS / 1_000} s`;
}

function parseOrderId(body: string): string {
  return /"id":"(ord_[^"]+)"/.exec(body)?.[1] ?? body;
}

function print(label: string, text: string): void {
  process.stdout.write(`${label.padEnd(8)} ${text}\n`);
}
