import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { COMMIT_REQUEST, COMMIT_DONE, type NetworkFault } from '../../tools/chaos/network-fault.ts';
import { problemOf, orderOf } from '../support/responses.ts';
import { paymentEffects } from '../support/shop.ts';
import { eventually } from '../support/eventually.ts';
import { cell } from './matrix-case.ts';
import { CLAIM_ASKED, openProxiedShop, HOLD_ASKED, type ProxiedShop } from './proxied-shop.ts';

const ANSWER_OF_COMMIT: NetworkFault = {
  kind: 'cut_on',
  direction: 'to_client',
  pattern: COMMIT_DONE,
  deliver: false,
  times: 1,
};

let shop: ProxiedShop;
beforeAll(async () => {
  shop = await openProxiedShop();
});
afterEach(() => {
  shop.proxy.clearFaults();
  shop.sandbox.faults.clear();
});
afterAll(() => shop.close());

/** The shopper tries again with the same key until there is an order, as Retry-After tells. */
async function retryUntilPlaced(key: string): Promise<string> {
  return eventually(
    async () => {
      await shop.passLease(key);
      const answer = await shop.buy(key);
      expect(answer.status).toBe(201);
      return answer.text();
    },
    { everyMs: 100, timeoutMs: 60_000 },
  );
}

async function codeOf(answer: Response): Promise<string> {
  expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  return (await problemOf(answer)).code;
}

async function idIn(body: string): Promise<string> {
  return (await orderOf(new Response(body))).id;
}

async function expectToldToComeBack(answer: Response): Promise<void> {
  const problem = await problemOf(answer);
  expect(problem, shop.logged.at(-1)).toMatchObject({ status: 503, code: 'database_unavailable' });
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
}

/** One order under the key, authorized once, its unit held once. */
async function expectOneOrder(key: string, heldBefore: number): Promise<string> {
  const id = await idIn(await retryUntilPlaced(key));
  expect(await shop.orderOfKey(key)).toBe(id);
  expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
  expect(await shop.heldMugs()).toBe(heldBefore + 1);
  return id;
}

describe('accepting an order during database faults', () => {
  cell(
    'S0/F1',
    'an order cut off from the database before its key claim gets 503 and stores nothing',
    async (proof) => {
      const [held, orders] = [await shop.heldMugs(), await shop.direct.order.count()];
      shop.proxy.inject(CLAIM_ASKED);
      await expectToldToComeBack(await shop.buy('claim-cut'));
      proof.fired(shop.proxy.counts().cut_on);
      expect(await shop.orderOfKey('claim-cut')).toBeNull();
      expect([await shop.heldMugs(), await shop.direct.order.count()]).toEqual([held, orders]);
      expect(paymentEffects(shop, 'claim-cut')).toEqual({});
      await expectOneOrder('claim-cut', held);
    },
  );

  cell(
    ['S0/F1', 'S1/F1'],
    'an order cut off from the database before its hold or its commit gets 503 and holds nothing',
    async (proof) => {
      const commit = { ...HOLD_ASKED, pattern: COMMIT_REQUEST } satisfies object;
      for (const [key, fault] of Object.entries({ 'hold-cut': HOLD_ASKED, 'commit-cut': commit })) {
        const held = await shop.heldMugs();
        const before = shop.proxy.counts().cut_on;
        shop.proxy.inject(fault);
        await expectToldToComeBack(await shop.buy(key));
        expect(shop.proxy.counts().cut_on).toBe(before + 1);
        proof.fired(1);
        await eventually(async () => expect(await shop.orderOfKey(key)).toBeNull());
        expect(await shop.heldMugs()).toBe(held);
        shop.proxy.clearFaults();
        await expectOneOrder(key, held);
      }
    },
  );

  const goesOn =
    'the retry of an order whose commit response is lost continues the stored order, held once';
  cell(['S0/F2', 'S1/F2'], goesOn, async (proof) => {
    const held = await shop.heldMugs();
    const before = shop.proxy.counts().cut_on;
    shop.proxy.inject(ANSWER_OF_COMMIT);
    await expectToldToComeBack(await shop.buy('answer-cut'));
    proof.fired(shop.proxy.counts().cut_on - before);
    const stored = await shop.orderOfKey('answer-cut');
    expect(stored).not.toBeNull();
    expect((await problemOf(await shop.buy('answer-cut'))).code).toBe('request_in_flight');
    expect(await expectOneOrder('answer-cut', held)).toBe(stored);
  });

  cell(
    'S1/F3',
    'an order waiting for a locked stock row past its deadline gets 503 and holds nothing',
    async (proof) => {
      const held = await shop.heldMugs();
      const locked = shop.direct.$transaction(
        async (tx) => {
          await tx.$executeRaw`SET LOCAL idle_in_transaction_session_timeout = 0`;
          await tx.$executeRaw`UPDATE stock SET held = held WHERE sku = 'mug-white'`;
          const answer = await shop.buy('locked-out');
          await expectToldToComeBack(answer);
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
      expect(await shop.heldMugs()).toBe(held);
      await expectOneOrder('locked-out', held);
    },
  );

  const nothingUnverified =
    'an order gets 503 while the database refuses connections, and its key places it afterwards';
  cell(['S0/F6', 'S1/F6'], nothingUnverified, async (proof) => {
    const held = await shop.heldMugs();
    shop.proxy.inject({ kind: 'refuse' });
    for (const _ of [1, 2, 3]) await expectToldToComeBack(await shop.buy('closed'));
    proof.fired(shop.proxy.counts().refuse);
    expect(await shop.orderOfKey('closed')).toBeNull();
    shop.proxy.clearFaults();
    await expectOneOrder('closed', held);
  });
});

describe('requests with one key', () => {
  const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;

  cell(
    'S0/F3',
    'a retry during the first attempt gets 409 or 201, and a later one the same bytes',
    async (proof) => {
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
      expect([again.headers.get('idempotent-replayed'), await again.text()]).toEqual([
        'true',
        body,
      ]);
    },
  );

  const oneOrder =
    'twenty concurrent requests with one key place one order, and another body gets 422';
  cell(['S0/F4', 'S1/F4'], oneOrder, async (proof) => {
    const held = await shop.heldMugs();
    const answers = await Promise.all(Array.from({ length: 20 }, () => shop.buy('twenty')));
    proof.fired(answers.length - 1);
    const bodies = new Set<string>();
    for (const answer of answers) {
      if (answer.status === 201) bodies.add(await answer.text());
      // On a busy machine some wait for a connection longer than they may.
      else expect(['request_in_flight', 'database_unavailable']).toContain(await codeOf(answer));
    }
    bodies.add(await retryUntilPlaced('twenty'));
    expect(bodies.size).toBe(1);
    await expectOneOrder('twenty', held);
    const other = await shop.place({ lines: [{ sku: 'mug-white', quantity: 9 }] }, 'twenty');
    expect(other.status).toBe(422);
  });
});
