/**
 * Two API processes behind a client that goes by /readyz, as a load balancer does; each is replaced
 * while orders keep coming.
 */
import { afterAll, beforeAll, expect } from 'vitest';
import { cell } from '../faults/matrix-case.ts';
import { createAppProcess, providersEnv, type AppProcess } from '../support/app-process.ts';
import { createApi, placeOrder } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { openShop, type Shop } from '../support/shop.ts';

const SHOPPERS = 4;
/** Longer than any client is between asking /readyz and sending its order. */
const STOP_DELAY_MS = 3_000;
const REQUEST_TIMEOUT_MS = 30_000;
const TEST_TIMEOUT_MS = 300_000;

let shop: Shop;
let apis: readonly AppProcess[] = [];
beforeAll(async () => {
  shop = await openShop();
  const env = {
    ...providersEnv(shop.sandbox),
    ROLE: 'api',
    STOP_DELAY_MS: String(STOP_DELAY_MS),
    DATABASE_URL: shop.databaseUrl,
    // Orders are accepted without it: what is replaced here is the API.
    TEMPORAL_ADDRESS: '127.0.0.1:9',
  };
  apis = await Promise.all(['one', 'other'].map((name) => createAppProcess({ name, env })));
  await Promise.all(apis.map((api) => api.start()));
}, TEST_TIMEOUT_MS);
afterAll(async () => {
  await Promise.all(apis.map((api) => api.kill()));
  await shop?.close();
}, TEST_TIMEOUT_MS);

async function isReady(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const response = await fetch(`${url}/readyz`, { signal });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    // Nobody listens: it is being replaced.
    return false;
  }
}

/** Goes by /readyz, in turns. Throws when the connection fails: that is what must not happen. */
async function send(turn: number, key: string): Promise<Response> {
  for (let tried = turn; ; tried += 1) {
    const api = apis[tried % apis.length];
    if (api === undefined || !(await isReady(api.url))) continue;
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    return placeOrder(createApi(api.url), {}, { key, signal });
  }
}

/**
 * Orders one after the other until told to stop. A busy machine's 503 is tried again, as it asks; a
 * connection that fails is kept in `failed`.
 */
async function goShopping(until: AbortSignal, failed: unknown[]): Promise<string[]> {
  const ids: string[] = [];
  for (let turn = 0; !until.aborted; turn += 1) {
    const key = crypto.randomUUID();
    const answer = await eventually(
      async () => {
        const given = await send(turn, key).catch((error: unknown) => {
          failed.push(error);
          throw error;
        });
        expect(given.status).not.toBe(503);
        return given;
      },
      { timeoutMs: 60_000, everyMs: 1_000 },
    );
    expect(answer.status, await answer.clone().text()).toBe(201);
    ids.push(answer.headers.get('location')?.split('/').at(-1) ?? '');
    await answer.body?.cancel();
  }
  return ids;
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1);

cell(
  'infra/rolling-restart',
  'a rolling restart of the API under load fails no request and repeats no effect',
  async (proof) => {
    const { db, sandbox } = shop;
    const closing = new AbortController();
    const failed: unknown[] = [];
    const shoppers = Promise.all(
      Array.from({ length: SHOPPERS }, () => goShopping(closing.signal, failed)),
    );
    const replaced = (async () => {
      for (const api of apis) {
        await api.stop();
        expect(await api.ended()).toBe(0);
        proof.fired(1);
        await api.start();
      }
    })().finally(() => closing.abort());
    const [ids] = await Promise.all([shoppers, replaced]);
    expect(failed).toEqual([]);
    const placed = ids.flat();
    expect(placed.length).toBeGreaterThan(SHOPPERS * apis.length);
    expect(new Set(placed).size).toBe(placed.length);
    const orders = await db.order.findMany({ select: { id: true, status: true } });
    expect(new Set(orders.map(({ status }) => status))).toEqual(new Set(['placed']));
    expect(orders.map(({ id }) => id).toSorted(byText)).toEqual(placed.toSorted(byText));
    const effects = sandbox.ledgers.payments.effects();
    const authorized = effects.map((each) => each.order_id ?? '');
    expect(authorized.toSorted(byText)).toEqual(placed.toSorted(byText));
  },
  TEST_TIMEOUT_MS,
);
