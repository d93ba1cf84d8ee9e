/**
 * Two API processes behind a client that checks /readyz, like a load balancer; each is replaced while
 * orders are placed.
 */
import { afterAll, beforeAll, expect } from 'vitest';
import { test } from '../faults/matrix-case.ts';
import { createAppProcess, providersEnv, type AppProcess } from '../support/app-process.ts';
import { createApi, placeOrder } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const SHOPPERS = 4;
/** Longer than a client takes between its check of /readyz and its order. */
const STOP_DELAY_MS = 3_000;
const REQUEST_TIMEOUT_MS = 30_000;

const shop = useShop();
let apis: readonly AppProcess[] = [];
beforeAll(async () => {
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
});
afterAll(async () => {
  await Promise.all(apis.map((api) => api.kill()));
});

async function isReady(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const response = await fetch(`${url}/readyz`, { signal });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    // Not listening: it is being replaced.
    return false;
  }
}

/** Sends an order to the next ready API. Throws when the connection fails, which must not happen. */
async function send(turn: number, key: string): Promise<Response> {
  for (let tried = turn; ; tried += 1) {
    const api = apis[tried % apis.length];
    if (api === undefined || !(await isReady(api.url))) continue;
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    return placeOrder(createApi(api.url), {}, { key, signal });
  }
}

/**
 * Places one order after the other until the signal. Retries a busy machine's 503; records failed
 * connections in `failed`.
 */
async function shopUntil(until: AbortSignal, failed: unknown[]): Promise<string[]> {
  const ids: string[] = [];
  for (let turn = 0; !until.aborted; turn += 1) {
    const key = crypto.randomUUID();
    const response = await eventually(
      async () => {
        const sent = await send(turn, key).catch((error: unknown) => {
          failed.push(error);
          throw error;
        });
        expect(sent.status).not.toBe(503);
        return sent;
      },
      { timeoutMs: 60_000, everyMs: 1_000 },
    );
    expect(response.status, await response.clone().text()).toBe(201);
    ids.push(response.headers.get('location')?.split('/').at(-1) ?? '');
    await response.body?.cancel();
  }
  return ids;
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1);

test('[infra/rolling-restart] a rolling restart of the API under load fails no request and repeats no effect', async (proof) => {
  const { db, sandbox } = shop;
  const finished = new AbortController();
  const failed: unknown[] = [];
  const shoppers = Promise.all(times(SHOPPERS, () => shopUntil(finished.signal, failed)));
  const replaced = (async () => {
    for (const api of apis) {
      await api.stop();
      expect(await api.ended()).toBe(0);
      proof.fired(1);
      await api.start();
    }
  })().finally(() => finished.abort());
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
});
