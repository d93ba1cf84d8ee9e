import { afterEach, describe, expect } from 'vitest';
import { heldMugs, passLease } from '../support/orders.ts';
import { eventually } from '../support/eventually.ts';
import { problemOf } from '../support/responses.ts';
import { paymentEffects } from '../support/shop.ts';
import { test } from './matrix-case.ts';
import {
  BEFORE_OPENED,
  expectDatabaseUnavailable,
  OPENED_RESPONSE_LOST,
  useProxiedShop,
} from './proxied-shop.ts';
import { orderIdIn, retryUntilPlaced } from './settling.ts';
import { times } from '../support/times.ts';

const shop = useProxiedShop();
afterEach(() => {
  shop.proxy.clearFaults();
});

/** Retries with the same key as Retry-After says. Gives the body of the order's response. */
function buyUntilPlaced(key: string): Promise<string> {
  return retryUntilPlaced(async () => {
    await passLease(shop.direct, key);
    return shop.buy(key);
  });
}

/** One order under the key, authorized once, its unit held once. */
async function expectOneOrder(key: string, heldBefore: number): Promise<string> {
  const id = await orderIdIn(await buyUntilPlaced(key));
  expect(await shop.orderOfKey(key)).toBe(id);
  expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
  expect(await heldMugs(shop.direct)).toBe(heldBefore + 1);
  return id;
}

describe('accepting an order during database faults', () => {
  test('[S0/F1] [S1/F1] an order cut off from the database before it is opened gets 503 and stores and holds nothing', async (proof) => {
    const [held, orders] = [await heldMugs(shop.direct), await shop.direct.order.count()];
    const authorized = paymentEffects(shop);
    shop.inject(BEFORE_OPENED);
    await expectDatabaseUnavailable(shop, await shop.buy('open-cut'));
    proof.fired(shop.fired());
    expect(await shop.orderOfKey('open-cut')).toBeNull();
    expect([await heldMugs(shop.direct), await shop.direct.order.count()]).toEqual([held, orders]);
    expect(paymentEffects(shop)).toEqual(authorized);
    await expectOneOrder('open-cut', held);
  });

  test('[S0/F2] [S1/F2] the retry of an order whose opening is not confirmed continues the stored order, held once', async (proof) => {
    const held = await heldMugs(shop.direct);
    shop.inject(OPENED_RESPONSE_LOST);
    await expectDatabaseUnavailable(shop, await shop.buy('open-lost'));
    proof.fired(shop.fired());
    const stored = await shop.orderOfKey('open-lost');
    expect(stored).not.toBeNull();
    expect((await problemOf(await shop.buy('open-lost'))).code).toBe('request_in_flight');
    expect(await expectOneOrder('open-lost', held)).toBe(stored);
  });

  test('[S1/F3] an order waiting for a locked stock row past its deadline gets 503 and holds nothing', async (proof) => {
    const held = await heldMugs(shop.direct);
    const locked = shop.direct.$transaction(
      async (tx) => {
        await tx.$executeRaw`SET LOCAL idle_in_transaction_session_timeout = 0`;
        await tx.$executeRaw`UPDATE stock SET held = held WHERE sku = 'mug-white'`;
        await expectDatabaseUnavailable(shop, await shop.buy('locked-out'));
      },
      { timeout: 60_000 },
    );
    await eventually(async () => {
      const waiting = await shop.direct.$queryRaw<unknown[]>`
        SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      expect(waiting).toHaveLength(1);
    });
    proof.fired(1);
    await locked;
    expect(await shop.orderOfKey('locked-out')).toBeNull();
    expect(await heldMugs(shop.direct)).toBe(held);
    await expectOneOrder('locked-out', held);
  });

  test('[S0/F6] [S1/F6] an order gets 503 while the database refuses connections, and its key places it afterwards', async (proof) => {
    const held = await heldMugs(shop.direct);
    shop.inject({ kind: 'refuse' });
    for (const _ of [1, 2, 3]) await expectDatabaseUnavailable(shop, await shop.buy('refused'));
    proof.fired(shop.fired());
    expect(await shop.orderOfKey('refused')).toBeNull();
    shop.proxy.clearFaults();
    await expectOneOrder('refused', held);
  });
});

describe('requests with one key', () => {
  const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;

  test('[S0/F3] a retry during the first attempt gets 409 or 201, and a later one the same bytes', async (proof) => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'latency', latency_ms: 400, times: 1 });
    const first = shop.buy('slow');
    await eventually(async () => expect(await shop.orderOfKey('slow')).not.toBeNull());
    const meanwhile = await shop.buy('slow');
    if (meanwhile.status !== 201) {
      expect((await problemOf(meanwhile)).code).toBe('request_in_flight');
    }
    proof.firedAll(shop.sandbox.faults);
    const body = await (await first).text();
    const again = await shop.buy('slow');
    expect([again.headers.get('idempotent-replayed'), await again.text()]).toEqual(['true', body]);
  });

  test('[S0/F4] [S1/F4] twenty concurrent requests with one key place one order, and another body gets 422', async (proof) => {
    const held = await heldMugs(shop.direct);
    const responses = await Promise.all(times(20, () => shop.buy('twenty')));
    proof.fired(responses.length - 1);
    const bodies = new Set<string>();
    for (const response of responses) {
      if (response.status === 201) {
        bodies.add(await response.text());
        continue;
      }
      expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      // On a busy machine some wait for a connection longer than they may.
      const { code } = await problemOf(response);
      expect(['request_in_flight', 'database_unavailable']).toContain(code);
    }
    bodies.add(await buyUntilPlaced('twenty'));
    expect(bodies.size).toBe(1);
    await expectOneOrder('twenty', held);
    const other = await shop.place({ lines: [{ sku: 'mug-white', quantity: 9 }] }, 'twenty');
    expect(other.status).toBe(422);
  });
});
