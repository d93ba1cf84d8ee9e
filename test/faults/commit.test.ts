import { afterEach, describe, expect } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { NetworkFault } from '../../tools/chaos/network-fault.ts';
import { CHALLENGED_CARD } from '../support/client.ts';
import { eventTypesOf } from '../support/expectations.ts';
import { settleChallenge } from '../support/provider-messages.ts';
import { paymentEffects } from '../support/shop.ts';
import { heldMugs, passDeadline, passLease } from '../support/orders.ts';
import { eventually } from '../support/eventually.ts';
import { test } from './matrix-case.ts';
import {
  BEFORE_PLACED,
  PLACED_RESPONSE_LOST,
  expectDatabaseUnavailable,
  useProxiedShop,
} from './proxied-shop.ts';
import {
  confirm,
  expectExpired,
  expectPlacedOnce,
  orderIdIn,
  retryUntilPlaced,
  waitingIn,
} from './settling.ts';
import { times } from '../support/times.ts';

/** The money is authorized; the faults hit its record in the database. */
const shop = useProxiedShop();
afterEach(() => shop.proxy.clearFaults());

/** Buys under a fault that begins when the provider has responded. Gives the pending order. */
async function buyWith(key: string, fault: NetworkFault): Promise<string> {
  const response = await shop.buy(key, () => shop.inject(fault));
  await expectDatabaseUnavailable(shop, response);
  const id = await shop.orderOfKey(key);
  if (id === null) throw new Error('the key names no order');
  return id;
}

/** The retry of a client that waited: the same order, placed once, with a repeatable response. */
async function expectRetryPlaces(key: string, id: string): Promise<void> {
  const body = await retryUntilPlaced(async () => {
    await passLease(shop.direct, key);
    return shop.buy(key);
  });
  const placed: OrderId = await orderIdIn(body);
  expect(placed).toBe(id);
  expect(await (await shop.buy(key)).text()).toBe(body);
  await expectPlacedOnce({ db: shop.direct, sandbox: shop.sandbox }, placed);
}

const statusOf = async (id: string) =>
  (await shop.direct.order.findUniqueOrThrow({ where: { id } })).status;

describe('recording a placed order', () => {
  test('[S3/F1] an order cut off before it is placed stays pending, and its retry is placed', async (proof) => {
    const id = await buyWith('before', BEFORE_PLACED);
    proof.fired(shop.fired());
    await eventually(async () => expect(await statusOf(id)).toBe('pending'));
    await expectRetryPlaces('before', id);
  });

  test('[S3/F1] an abandoned order cut off before it is placed expires, voided and with its hold released', async (proof) => {
    const held = await heldMugs(shop.direct);
    const id = await buyWith('abandoned', BEFORE_PLACED);
    proof.fired(shop.fired());
    await passDeadline(shop.direct, id);
    await expectExpired(shop, id, { authorize: 1, void: 1 });
    expect(await heldMugs(shop.direct)).toBe(held);
  });

  test('[S3/F2] an order whose placement is not confirmed is placed once, and its retry is replayed', async (proof) => {
    const id = await buyWith('during', PLACED_RESPONSE_LOST);
    proof.fired(shop.fired());
    expect(await statusOf(id)).toBe('placed');
    // The stored response is found at once, without waiting for the lease.
    expect((await shop.buy('during')).headers.get('idempotent-replayed')).toBe('true');
    await expectRetryPlaces('during', id);
  });

  test('[S3/F3] an order during a silent database gets 503, and its retry is placed', async (proof) => {
    const id = await buyWith('silent', { kind: 'swallow', direction: 'to_client' });
    proof.fired(shop.fired());
    shop.proxy.clearFaults();
    await expectRetryPlaces('silent', id);
  });

  test('[S3/F4] twenty concurrent retries after a lost placement place one order with one event', async (proof) => {
    const id = await buyWith('twenty', BEFORE_PLACED);
    await passLease(shop.direct, 'twenty');
    const responses = await Promise.all(times(20, () => shop.buy('twenty')));
    proof.fired(responses.length);
    for (const { status } of responses) expect([201, 409]).toContain(status);
    await expectRetryPlaces('twenty', id);
  });

  test('[S3/F6] an order gets 503 while the database refuses connections, and its key places it afterwards', async (proof) => {
    const id = await buyWith('refused', { kind: 'refuse' });
    expect((await shop.buy('refused')).status).toBe(503);
    proof.fired(shop.fired());
    shop.proxy.clearFaults();
    await expectRetryPlaces('refused', id);
  });
});

describe('recording an order whose payment the shopper has confirmed', () => {
  const card = { payment_method: CHALLENGED_CARD };

  /** Confirmed at the bank; the fault hits the record of it. Gives the order. */
  async function confirmUnder(key: string, fault: NetworkFault): Promise<OrderId> {
    const waiting = waitingIn(await (await shop.place(card, key)).text());
    await settleChallenge(shop, waiting.intentId, 'authenticated');
    shop.inject(fault);
    await expectDatabaseUnavailable(shop, await confirm(shop, waiting));
    return waiting.orderId;
  }

  async function expectConfirmed(key: string, orderId: OrderId): Promise<void> {
    await eventually(async () => expect((await confirm(shop, { orderId })).status).toBe(200));
    expect((await shop.place(card, key)).status).toBe(201);
    expect(paymentEffects(shop, orderId)).toEqual({ authorize: 1 });
    expect(await eventTypesOf({ db: shop.direct }, orderId)).toEqual([
      'order.created',
      'order.payment_action_required',
      'order.placed',
    ]);
  }

  test('[S3/F1] a confirmed order cut off before it is placed still waits, and the next confirm places it', async (proof) => {
    const id = await confirmUnder('confirmed-before', BEFORE_PLACED);
    proof.fired(shop.fired());
    await eventually(async () => expect(await statusOf(id)).toBe('pending'));
    await expectConfirmed('confirmed-before', id);
  });

  test('[S3/F2] a confirmed order whose placement is not confirmed is placed once', async (proof) => {
    const id = await confirmUnder('confirmed-during', PLACED_RESPONSE_LOST);
    proof.fired(shop.fired());
    expect(await statusOf(id)).toBe('placed');
    await expectConfirmed('confirmed-during', id);
  });

  test('[S3/F6] a confirmed order waits while the database refuses connections', async (proof) => {
    const id = await confirmUnder('confirmed-refused', { kind: 'refuse' });
    // Until none of the pool's connections is left, and it opens new ones.
    await eventually(async () => {
      await expectDatabaseUnavailable(shop, await confirm(shop, { orderId: id }));
      expect(shop.fired()).toBeGreaterThan(0);
    });
    proof.fired(shop.fired());
    shop.proxy.clearFaults();
    await expectConfirmed('confirmed-refused', id);
  });
});
