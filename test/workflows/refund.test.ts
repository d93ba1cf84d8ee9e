import { describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { Mode } from '../../local/sandbox/faults.ts';
import { listDeadLetters } from '../../prisma/events/dead-letters.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { refundChangedSignal, retryRefundSignal } from '../../workflows/refund/contract.ts';
import { textOf } from '../replay/histories.ts';
import { CANARIES, type Line } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { eventTypesOf, notificationsOf } from '../support/expectations.ts';
import { moveAtProvider } from '../support/provider-refunds.ts';
import { acceptRefund, startRefund } from '../support/refunding.ts';
import { orderIdOf } from '../support/running-shop.ts';
import { skipDays } from '../support/temporal.ts';
import { isReplayed, useSkippingShop } from '../support/use-shop.ts';

const REFUND = { provider: 'payments', operation: 'refund' } as const;
const LOOK_UP = { provider: 'payments', operation: 'lookup' } as const;
const SEND = { provider: 'mail', operation: 'send' } as const;
const MODES: readonly Mode[] = ['fail_before', 'answer_lost', 'hang', 'down'];

// A call that hangs takes as long as its deadline; one that misses it by chance is retried.
const shop = useSkippingShop({ deadlines: { callMs: 500, authorizeMs: 5_000 } });

describe('a refund', () => {
  test('a refund of a shipped order moves the money once and notifies the customer once', async () => {
    const orderId = await shipped();
    const handle = await startRefundOf(orderId);
    expect(await handle.result()).toEqual({ status: 'succeeded' });
    await expectRefunded(orderId, [2_400]);
    const id = handle.workflowId.slice('refund/'.length);
    expect(await statusOf(orderId)).toEqual(['succeeded']);
    expect((await eventTypesOf(shop, orderId)).slice(-3)).toEqual([
      'refund.requested',
      'refund.succeeded',
      'order.customer_notified',
    ]);
    const [mail] = shop.sandbox.ledgers.mail.effects().filter(({ key }) => key.includes(id));
    expect(mail).toMatchObject({ key: expect.stringContaining(`${orderId}.refunded/${id}`) });
  });

  test('two partial refunds of an order add up to exactly the captured amount', async () => {
    const orderId = await shipped();
    for (const amountMinor of [1_000, 1_400]) {
      const handle = await startRefundOf(orderId, amountMinor);
      expect((await handle.result()).status).toBe('succeeded');
    }
    await expectRefunded(orderId, [1_000, 1_400]);
    const notices = notificationsOf(shop, orderId).filter((each) => each.startsWith('refunded'));
    expect(new Set(notices).size).toBe(2);
  });

  test('a refund leaves no personal data in its workflow history', async () => {
    const orderId = await shipped();
    const handle = await startRefundOf(orderId);
    await handle.result();
    const text = textOf(JSON.parse(JSON.stringify(await handle.fetchHistory())));
    expect(text).toContain(orderId);
    for (const canary of [...CANARIES, 'canary', 'broken']) {
      expect(text).not.toContain(canary);
    }
  });

  test('an accepted refund succeeds although its workflow is cancelled', async () => {
    const orderId = await shipped();
    shop.sandbox.faults.set(REFUND, { mode: 'fail_before', times: 3 });
    const handle = await startRefundOf(orderId);
    await handle.cancel();
    expect((await handle.result()).status).toBe('succeeded');
    await expectRefunded(orderId, [2_400]);
  });

  test.each(MODES)('a refund under the provider fault %s moves the money once', async (mode) => {
    const orderId = await shipped();
    shop.sandbox.faults.set(REFUND, { mode, times: 3 });
    const handle = await startRefundOf(orderId);
    expect((await handle.result()).status).toBe('succeeded');
    expect(shop.sandbox.faults.list()[0]?.fired).toBeGreaterThan(0);
    await expectRefunded(orderId, [2_400]);
  });

  test('a refund whose response was lost moves the money once although the first look-up fails', async () => {
    const orderId = await shipped();
    shop.sandbox.faults.set(REFUND, { mode: 'answer_lost', times: 1 });
    shop.sandbox.faults.set(LOOK_UP, { mode: 'down', times: 1 });
    const handle = await startRefundOf(orderId);
    expect((await handle.result()).status).toBe('succeeded');
    await expectRefunded(orderId, [2_400]);
  });

  test('a refund refused by the provider fails with the reason, moves nothing and can be requested again', async () => {
    const orderId = await shipped();
    shop.sandbox.faults.set(REFUND, { mode: 'refuse', times: 1 });
    const handle = await startRefundOf(orderId);
    expect(await handle.result()).toEqual({ status: 'failed' });
    expect(await listRefunds(shop.db, orderId)).toMatchObject([
      { status: 'failed', failureCode: 'insufficient_funds' },
    ]);
    expect((await eventTypesOf(shop, orderId)).at(-1)).toBe('refund.failed');
    await expectRefunded(orderId, []);
    const again = await startRefundOf(orderId);
    expect((await again.result()).status).toBe('succeeded');
    await expectRefunded(orderId, [2_400]);
  });

  test('a refund fails with charge_already_refunded after a manual refund at the provider', async () => {
    const orderId = await shipped();
    const payment = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
    await shop.gateways.payments.refund({
      key: 'manual',
      orderId,
      reference: payment.providerReference ?? '',
      amount: { amountMinor: 2_400, currency: 'EUR' },
    });
    const handle = await startRefundOf(orderId);
    expect(await handle.result()).toEqual({ status: 'failed' });
    expect(await listRefunds(shop.db, orderId)).toMatchObject([
      { failureCode: 'charge_already_refunded' },
    ]);
  });

  test('a refund succeeds when its e-mail is refused, and the failed notification becomes a dead letter', async () => {
    const orderId = await shipped();
    shop.sandbox.faults.set(SEND, { mode: 'refuse' });
    const handle = await startRefundOf(orderId);
    expect((await handle.result()).status).toBe('succeeded');
    const id = handle.workflowId.slice('refund/'.length);
    expect(await deadLettersOf(orderId)).toMatchObject([
      { source: 'notification', subject: `refunded/${id}` },
    ]);
  });
});

describe.skipIf(isReplayed)('a refund during an outage', () => {
  test('a refund stays requested while the provider is unavailable and succeeds after it recovers', async () => {
    const { env } = shop.temporal;
    const orderId = await shipped();
    shop.sandbox.faults.set(REFUND, { mode: 'down' });
    const handle = await startRefundOf(orderId);
    await env.sleep('6 hours');
    expect(await statusOf(orderId)).toEqual(['requested']);
    shop.sandbox.faults.clear();
    expect((await handle.result()).status).toBe('succeeded');
    await expectRefunded(orderId, [2_400]);
  });

  test('a refund that fails for two days becomes a dead letter, and a retry moves the money once', async () => {
    const { env } = shop.temporal;
    const orderId = await shipped();
    shop.sandbox.faults.set(REFUND, { mode: 'down' });
    const handle = await startRefundOf(orderId);
    await env.sleep('2 days');
    await eventually(async () => {
      expect(await statusOf(orderId)).toEqual(['needs_attention']);
    });
    const deadLetters = await deadLettersOf(orderId);
    const subject = handle.workflowId.slice('refund/'.length);
    expect(deadLetters).toMatchObject([{ source: 'refund', subject, status: 'open' }]);
    expect(deadLetters[0]?.fingerprint).toMatch(/^refund: /);
    expect(deadLetters[0]?.retryCount).toBeGreaterThan(10);
    shop.sandbox.faults.clear();
    await handle.signal(retryRefundSignal, { actor: 'op' });
    expect((await handle.result()).status).toBe('succeeded');
    expect((await deadLettersOf(orderId))[0]?.status).toBe('resolved');
    await expectRefunded(orderId, [2_400]);
  });
});

describe.skipIf(isReplayed)('a refund that the provider is not sure of', () => {
  test('a refund that fails on day 9 leaves its amount available, asks a person and never notifies the customer', async () => {
    const { orderId, handle, reference } = await pending();
    await skipDays(shop.temporal.env, 9);
    expect(await statusOf(orderId)).toEqual(['pending']);
    expect(await paymentOf(orderId)).toMatchObject({ refundedMinor: 0, refundingMinor: 2_400 });
    await moveAtProvider(shop, reference, 'failed');
    expect(await handle.result()).toEqual({ status: 'failed' });
    expect(await listRefunds(shop.db, orderId)).toMatchObject([
      { status: 'failed', failureCode: 'expired_or_canceled_card' },
    ]);
    expect((await eventTypesOf(shop, orderId)).slice(-3)).toEqual([
      'refund.requested',
      'refund.pending',
      'refund.failed',
    ]);
    expect(await deadLettersOf(orderId)).toMatchObject([{ source: 'refund', status: 'open' }]);
    expect(notificationsOf(shop, orderId)).toEqual(['confirmed', 'shipped']);
    await expectRefunded(orderId, []);
    expect(await acceptRefund(shop.db, orderId)).toMatchObject({ amountMinor: 2_400 });
  });

  test('a refund that is pending for 30 days asks a person, and a retry finds what became of it', async () => {
    const { orderId, handle, reference } = await pending();
    await skipDays(shop.temporal.env, 31);
    await eventually(async () => expect(await statusOf(orderId)).toEqual(['needs_attention']));
    const retried = async () => {
      const tasks = (await handle.fetchHistory()).events?.length ?? 0;
      await handle.signal(retryRefundSignal, { actor: 'op' });
      await eventually(async () => {
        expect((await handle.fetchHistory()).events?.length).toBeGreaterThan(tasks + 5);
      });
    };
    await retried();
    expect(await statusOf(orderId)).toEqual(['needs_attention']);
    await moveAtProvider(shop, reference, 'succeeded');
    await handle.signal(retryRefundSignal, { actor: 'op' });
    expect(await handle.result()).toEqual({ status: 'succeeded' });
    expect((await deadLettersOf(orderId))[0]?.status).toBe('resolved');
    expect(notificationsOf(shop, orderId)).toHaveLength(3);
    await expectRefunded(orderId, [2_400]);
  });

  test('a webhook ends the wait, and the customer is notified once the refund is sure', async () => {
    const { orderId, handle, reference } = await pending();
    await moveAtProvider(shop, reference, 'succeeded');
    const startedAtMs = await shop.temporal.env.currentTimeMs();
    await handle.signal(refundChangedSignal);
    await eventually(async () => expect(await statusOf(orderId)).toEqual(['succeeded']));
    expect((await shop.temporal.env.currentTimeMs()) - startedAtMs).toBeLessThan(60_000);
    expect((await handle.result()).status).toBe('succeeded');
    expect(notificationsOf(shop, orderId)).toHaveLength(3);
    await expectRefunded(orderId, [2_400]);
  });
});

/** A refund that the provider has accepted and is not sure of. */
async function pending() {
  const orderId = await shipped({ card: 'pm_card_pendingRefund' });
  const handle = await startRefundOf(orderId);
  await eventually(async () => expect(await statusOf(orderId)).toEqual(['pending']));
  const [refund] = await listRefunds(shop.db, orderId);
  return { orderId, handle, reference: refund?.providerReference ?? null };
}

/** A shipped order of two mugs, 24 EUR. */
async function shipped(line: Line = {}): Promise<OrderId> {
  const handle = await shop.start(line);
  expect((await handle.result()).status).toBe('shipped');
  return orderIdOf(handle);
}

async function startRefundOf(orderId: OrderId, amountMinor: number | null = null) {
  return startRefund(shop, await acceptRefund(shop.db, orderId, amountMinor));
}

async function statusOf(orderId: OrderId): Promise<string[]> {
  return (await listRefunds(shop.db, orderId)).map(({ status }) => status);
}

const paymentOf = (orderId: OrderId) => shop.db.payment.findUniqueOrThrow({ where: { orderId } });

async function deadLettersOf(orderId: OrderId) {
  return (await listDeadLetters(shop.db, { orderId }, { limit: 10 })).deadLetters;
}

/** Our records and the provider's agree: these amounts were refunded, each once. */
async function expectRefunded(orderId: OrderId, amounts: readonly number[]): Promise<void> {
  const theirs = shop.sandbox.ledgers.payments
    .effects()
    .filter(({ order_id, operation }) => order_id === orderId && operation === 'refund');
  expect(theirs.map(({ amount_minor }) => amount_minor)).toEqual(amounts);
  const refunds = await listRefunds(shop.db, orderId);
  const back = refunds.filter(({ status }) => status === 'succeeded');
  expect(back.map(({ key }) => key).toSorted()).toEqual(theirs.map(({ key }) => key).toSorted());
  const sum = amounts.reduce((all, each) => all + each, 0);
  expect(await paymentOf(orderId)).toMatchObject({
    status: sum === 0 ? 'captured' : sum === 2_400 ? 'refunded' : 'partially_refunded',
    refundedMinor: sum,
    refundingMinor: 0,
  });
}
