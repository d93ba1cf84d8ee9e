import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { runRecovery } from '../../services/recovery.ts';
import { COMMIT_REQUEST, COMMIT_DONE, type NetworkFault } from '../../tools/chaos/network-fault.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { paymentEffects } from '../support/shop.ts';
import { eventually } from '../support/eventually.ts';
import { eventTypesOf } from '../support/expectations.ts';
import { isOrderId } from '../../domain/ids.ts';
import { cell } from './matrix-case.ts';
import { openProxiedShop, type ProxiedShop } from './proxied-shop.ts';

/** The money is authorized; what is cut, swallowed or refused from here on is its record. */
const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 100, eventsKeptDays: 90 };
const LOST: NetworkFault = {
  kind: 'cut_on',
  direction: 'to_client',
  pattern: COMMIT_DONE,
  deliver: false,
  times: 1,
};
const NOT_ASKED: NetworkFault = {
  kind: 'cut_on',
  direction: 'to_server',
  pattern: COMMIT_REQUEST,
  deliver: false,
  times: 1,
};

let shop: ProxiedShop;
beforeAll(async () => {
  shop = await openProxiedShop();
});
afterEach(() => shop.proxy.clearFaults());
afterAll(() => shop.close());

/** Buys; once the provider has answered, the line to the database suffers. */
async function buyWith(key: string, ...faults: readonly NetworkFault[]): Promise<string> {
  const answer = await shop.buy(key, () => {
    for (const fault of faults) shop.proxy.inject(fault);
  });
  const problem = await problemOf(answer);
  expect(problem, shop.logged.at(-1)).toMatchObject({ status: 503, code: 'database_unavailable' });
  const id = await shop.orderOfKey(key);
  if (id === null) throw new Error('the key names no order');
  return id;
}

/** The retry of a client that waited as it was told: the same order, placed once. */
async function expectPlacedOnce(key: string, id: string): Promise<void> {
  const body = await eventually(
    async () => {
      await shop.passLease(key);
      const answer = await shop.buy(key);
      expect(answer.status).toBe(201);
      return answer.text();
    },
    { timeoutMs: 20_000, everyMs: 100 },
  );
  expect((await orderOf(new Response(body))).id).toBe(id);
  expect(await (await shop.buy(key)).text()).toBe(body);
  expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
  if (!isOrderId(id)) throw new Error(id);
  const books = { db: shop.direct, sandbox: shop.sandbox };
  expect(await eventTypesOf(books, id)).toEqual(['order.created', 'order.placed']);
}

const statusOf = async (id: string) =>
  (await shop.direct.order.findUniqueOrThrow({ where: { id } })).status;

describe('recording a placed order', () => {
  cell(
    'S3/F1',
    'an order cut off before its commit is rolled back to pending, and its retry is placed',
    async (proof) => {
      const id = await buyWith('before', NOT_ASKED);
      proof.fired(shop.proxy.counts().cut_on);
      await eventually(async () => expect(await statusOf(id)).toBe('pending'));
      await expectPlacedOnce('before', id);
    },
  );

  const letGo =
    'an abandoned order cut off before its commit expires, voided and with its hold released';
  cell('S3/F1', letGo, async (proof) => {
    const [before, held] = [shop.proxy.counts().cut_on, await shop.heldMugs()];
    const id = await buyWith('nobody', NOT_ASKED);
    proof.fired(shop.proxy.counts().cut_on - before);
    await shop.passDeadline(id);
    await eventually(async () => {
      await runRecovery(shop.services, NOW);
      expect(await statusOf(id)).toBe('expired');
    });
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1, void: 1 });
    expect(await shop.heldMugs()).toBe(held);
  });

  cell(
    'S3/F2',
    'an order whose commit response is lost is placed once, and its retry is replayed',
    async (proof) => {
      const before = shop.proxy.counts().cut_on;
      const id = await buyWith('during', LOST);
      proof.fired(shop.proxy.counts().cut_on - before);
      expect(await statusOf(id)).toBe('placed');
      // The stored answer is found at once: nobody waits for the lease.
      expect((await shop.buy('during')).headers.get('idempotent-replayed')).toBe('true');
      await expectPlacedOnce('during', id);
    },
  );

  cell(
    'S3/F3',
    'an order during a silent database gets 503, and its retry is placed',
    async (proof) => {
      const id = await buyWith('silent', { kind: 'swallow', direction: 'to_client' });
      proof.fired(shop.proxy.counts().swallow);
      shop.proxy.clearFaults();
      await expectPlacedOnce('silent', id);
    },
  );

  cell(
    'S3/F4',
    'twenty concurrent retries after a lost commit place one order with one event',
    async (proof) => {
      const id = await buyWith('twenty', NOT_ASKED);
      await shop.passLease('twenty');
      const answers = await Promise.all(Array.from({ length: 20 }, () => shop.buy('twenty')));
      proof.fired(answers.length);
      for (const { status } of answers) expect([201, 409]).toContain(status);
      await expectPlacedOnce('twenty', id);
    },
  );

  cell(
    'S3/F6',
    'an order gets 503 while the database refuses connections, and its key places it afterwards',
    async (proof) => {
      const before = shop.proxy.counts().refuse;
      const id = await buyWith('away', { kind: 'refuse' });
      expect((await shop.buy('away')).status).toBe(503);
      proof.fired(shop.proxy.counts().refuse - before);
      shop.proxy.clearFaults();
      await expectPlacedOnce('away', id);
    },
  );
});
