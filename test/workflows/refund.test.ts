import { expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { Mode } from '../../local/sandbox/faults.ts';
import { listDeadLetters } from '../../prisma/dead-letters.ts';
import { listRefunds } from '../../prisma/refunds.ts';
import { retryRefundSignal } from '../../workflows/refund-contract.ts';
import { orderIdOf, PERSON } from '../support/bench.ts';
import { describeCheckout, type CheckoutSuite } from '../support/checkout-suite.ts';
import { eventually } from '../support/eventually.ts';
import { eventTypesOf, noticesOf } from '../support/expectations.ts';
import { acceptRefund, startRefund, type RefundHandle } from '../support/refunding.ts';
import { textOf } from '../replay/histories.ts';

const REFUND = { provider: 'payments', operation: 'refund' } as const;
const LOOK_UP = { provider: 'payments', operation: 'lookup' } as const;
const SEND = { provider: 'mail', operation: 'send' } as const;
const MODES: readonly Mode[] = ['fail_before', 'answer_lost', 'hang', 'down'];

describeCheckout('a refund', (suite) => {
  test('a refund of a shipped order moves the money once and notifies the customer once', async () => {
    const { bench } = suite;
    const orderId = await shipped(suite);
    const handle = await refunding(suite, orderId);
    expect(await handle.result()).toEqual({ status: 'succeeded' });
    await expectGivenBack(suite, orderId, [2_400]);
    const id = handle.workflowId.slice('refund/'.length);
    expect(await statusOf(suite, orderId)).toEqual(['succeeded']);
    expect((await eventTypesOf(bench, orderId)).slice(-3)).toEqual([
      'refund.requested',
      'refund.succeeded',
      'order.customer_notified',
    ]);
    const [mail] = bench.sandbox.ledgers.mail.effects().filter(({ key }) => key.includes(id));
    expect(mail).toMatchObject({ key: expect.stringContaining(`${orderId}.refunded/${id}`) });
  });

  test('two partial refunds of an order add up to exactly the captured amount', async () => {
    const orderId = await shipped(suite);
    for (const amountMinor of [1_000, 1_400]) {
      const handle = await refunding(suite, orderId, amountMinor);
      expect((await handle.result()).status).toBe('succeeded');
    }
    await expectGivenBack(suite, orderId, [1_000, 1_400]);
    const notices = noticesOf(suite.bench, orderId).filter((each) => each.startsWith('refunded'));
    expect(new Set(notices).size).toBe(2);
  });

  test('a refund leaves no personal data in its workflow history', async () => {
    const orderId = await shipped(suite);
    const handle = await refunding(suite, orderId);
    await handle.result();
    const text = textOf(JSON.parse(JSON.stringify(await handle.fetchHistory())));
    expect(text).toContain(orderId);
    for (const canary of [...Object.values(PERSON), 'canary', 'broken']) {
      expect(text).not.toContain(canary);
    }
  });

  test('an accepted refund succeeds although its workflow is cancelled', async () => {
    const { bench } = suite;
    const orderId = await shipped(suite);
    bench.sandbox.faults.set(REFUND, { mode: 'fail_before', times: 3 });
    const handle = await refunding(suite, orderId);
    await handle.cancel();
    expect((await handle.result()).status).toBe('succeeded');
    await expectGivenBack(suite, orderId, [2_400]);
  });

  test.each(MODES)('a refund under the provider fault %s moves the money once', async (mode) => {
    const { bench } = suite;
    const orderId = await shipped(suite);
    bench.sandbox.faults.set(REFUND, { mode, times: 3 });
    const handle = await refunding(suite, orderId);
    expect((await handle.result()).status).toBe('succeeded');
    expect(bench.sandbox.faults.list()[0]?.fired).toBeGreaterThan(0);
    await expectGivenBack(suite, orderId, [2_400]);
  });

  test('a refund whose response was lost moves the money once although the first look-up fails', async () => {
    const { bench } = suite;
    const orderId = await shipped(suite);
    bench.sandbox.faults.set(REFUND, { mode: 'answer_lost', times: 1 });
    bench.sandbox.faults.set(LOOK_UP, { mode: 'down', times: 1 });
    const handle = await refunding(suite, orderId);
    expect((await handle.result()).status).toBe('succeeded');
    await expectGivenBack(suite, orderId, [2_400]);
  });

  test('a refund stays requested while the provider is unavailable and succeeds after it recovers', async () => {
    const { bench, env } = suite;
    const orderId = await shipped(suite);
    bench.sandbox.faults.set(REFUND, { mode: 'down' });
    const handle = await refunding(suite, orderId);
    await env.sleep('6 hours');
    expect(await statusOf(suite, orderId)).toEqual(['requested']);
    bench.sandbox.faults.clear();
    expect((await handle.result()).status).toBe('succeeded');
    await expectGivenBack(suite, orderId, [2_400]);
  });

  test('a refund refused by the provider fails with the reason, moves nothing and can be requested again', async () => {
    const { bench } = suite;
    const orderId = await shipped(suite);
    bench.sandbox.faults.set(REFUND, { mode: 'refuse', times: 1 });
    const handle = await refunding(suite, orderId);
    expect(await handle.result()).toEqual({ status: 'failed' });
    expect(await listRefunds(bench.db, orderId)).toMatchObject([
      { status: 'failed', failureCode: 'insufficient_funds' },
    ]);
    expect((await eventTypesOf(bench, orderId)).at(-1)).toBe('refund.failed');
    await expectGivenBack(suite, orderId, []);
    const again = await refunding(suite, orderId);
    expect((await again.result()).status).toBe('succeeded');
    await expectGivenBack(suite, orderId, [2_400]);
  });

  test('a refund fails with charge_already_refunded after a manual refund at the provider', async () => {
    const { bench } = suite;
    const orderId = await shipped(suite);
    const payment = await bench.db.payment.findUniqueOrThrow({ where: { orderId } });
    await bench.gateways.payments.refund({
      key: 'by-hand',
      orderId,
      reference: payment.providerReference ?? '',
      amount: { amountMinor: 2_400, currency: 'EUR' },
    });
    const handle = await refunding(suite, orderId);
    expect(await handle.result()).toEqual({ status: 'failed' });
    expect(await listRefunds(bench.db, orderId)).toMatchObject([
      { failureCode: 'charge_already_refunded' },
    ]);
  });

  test('a refund that fails for two days becomes a dead letter, and a retry moves the money once', async () => {
    const { bench, env } = suite;
    const orderId = await shipped(suite);
    bench.sandbox.faults.set(REFUND, { mode: 'down' });
    const handle = await refunding(suite, orderId);
    await env.sleep('2 days');
    await eventually(async () => {
      expect(await statusOf(suite, orderId)).toEqual(['needs_attention']);
    });
    const letters = await lettersOf(suite, orderId);
    const subject = handle.workflowId.slice('refund/'.length);
    expect(letters).toMatchObject([{ source: 'refund', subject, status: 'open' }]);
    expect(letters[0]?.fingerprint).toMatch(/^refund: /);
    expect(letters[0]?.retryCount).toBeGreaterThan(10);
    bench.sandbox.faults.clear();
    await handle.signal(retryRefundSignal);
    expect((await handle.result()).status).toBe('succeeded');
    expect((await lettersOf(suite, orderId))[0]?.status).toBe('resolved');
    await expectGivenBack(suite, orderId, [2_400]);
  }, 240_000);

  test('a refund succeeds while mail is down, and the failed notification becomes a dead letter', async () => {
    const { bench } = suite;
    const orderId = await shipped(suite);
    bench.sandbox.faults.set(SEND, { mode: 'down' });
    const handle = await refunding(suite, orderId);
    expect((await handle.result()).status).toBe('succeeded');
    const id = handle.workflowId.slice('refund/'.length);
    expect(await lettersOf(suite, orderId)).toMatchObject([
      { source: 'notification', subject: `refunded/${id}` },
    ]);
  });
});

/** A shipped order of two mugs, 24 EUR. */
async function shipped({ bench }: CheckoutSuite): Promise<OrderId> {
  const handle = await bench.start();
  expect((await handle.result()).status).toBe('shipped');
  return orderIdOf(handle);
}

async function refunding(
  { bench, env }: CheckoutSuite,
  orderId: OrderId,
  amountMinor: number | null = null,
): Promise<RefundHandle> {
  const refund = await acceptRefund(bench.db, orderId, amountMinor);
  return startRefund({ ...bench, client: env.client }, refund);
}

async function statusOf({ bench }: CheckoutSuite, orderId: OrderId): Promise<string[]> {
  return (await listRefunds(bench.db, orderId)).map(({ status }) => status);
}

async function lettersOf({ bench }: CheckoutSuite, orderId: OrderId) {
  return (await listDeadLetters(bench.db, { orderId }, { limit: 10 })).letters;
}

/** Our books and the provider's say the same: these amounts went back, each once. */
async function expectGivenBack(
  { bench }: CheckoutSuite,
  orderId: OrderId,
  amounts: readonly number[],
): Promise<void> {
  const theirs = bench.sandbox.ledgers.payments
    .effects()
    .filter(({ order_id, operation }) => order_id === orderId && operation === 'refund');
  expect(theirs.map(({ amount_minor }) => amount_minor)).toEqual(amounts);
  const refunds = await listRefunds(bench.db, orderId);
  const back = refunds.filter(({ status }) => status === 'succeeded');
  expect(back.map(({ key }) => key).toSorted()).toEqual(theirs.map(({ key }) => key).toSorted());
  const sum = amounts.reduce((all, each) => all + each, 0);
  expect(await bench.db.payment.findUniqueOrThrow({ where: { orderId } })).toMatchObject({
    status: sum === 0 ? 'captured' : sum === 2_400 ? 'refunded' : 'partially_refunded',
    refundedMinor: sum,
    refundingMinor: 0,
  });
}
