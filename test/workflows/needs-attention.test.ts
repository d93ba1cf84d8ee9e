import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { syncRefunds } from '../../activities/provider-refunds.ts';
import type { OrderId } from '../../domain/ids.ts';
import { findPaymentRecords } from '../../prisma/operations/reconciliation-records.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { eraseOrder } from '../../prisma/privacy/erase.ts';
import { followCase } from '../../services/payment-cases.ts';
import { cancelUpdate, shipmentReleasedSignal } from '../../workflows/checkout/contract.ts';
import { atProvider, openCase } from '../support/cases.ts';
import { CAPTURE, COMPENSATIONS, REJECTED, SHIP } from '../support/compensations.ts';
import { eventually } from '../support/eventually.ts';
import {
  attentionOf,
  cardOf,
  currentDetailsOf,
  effectsOf,
  expectCleanSlate,
  expectShipped,
  deadLetterOf,
  viewOf,
  waitingFor,
} from '../support/expectations.ts';
import { refundInDashboard } from '../support/provider-refunds.ts';
import { orderIdOf, PUBLIC_URL, type CheckoutHandle } from '../support/running-shop.ts';
import { answerShipment, decide, resolve, update } from '../support/updates.ts';
import { useRunningShop } from '../support/use-shop.ts';

// In an outage a step fails permanently after days of retries: test/faults/needs-attention.test.ts.
const shop = useRunningShop();
afterEach(() => vi.restoreAllMocks());

describe('a compensation that fails permanently', () => {
  test.each(COMPENSATIONS)(
    'a failing compensation by $failing.operation lets the others run, needs attention and succeeds on retry',
    async ({ step, reject, cause, stillDone }) => {
      shop.sandbox.faults.set(cause, { mode: 'refuse' });
      reject(shop.gateways);
      const handle = await needingAttention();
      const orderId = orderIdOf(handle);
      expect(effectsOf(shop, orderId)[stillDone]).toBe(1);
      expect(await attentionOf(shop, orderId)).toBe(step);
      expect(await deadLetterOf(shop, orderId)).toMatchObject({ subject: step, status: 'open' });
      vi.restoreAllMocks();
      await resolve(handle, { step, decision: 'retry' });
      expect((await handle.result()).status).toBe('cancelled');
      await expectCleanSlate(shop, orderId);
      expect((await deadLetterOf(shop, orderId))?.status).toBe('resolved');
    },
  );

  test('skipping a failed compensation ends the order cancelled and records the actor and note in an event', async () => {
    const handle = await unrefundable();
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'skip' });
    expect((await handle.result()).status).toBe('cancelled');
    const event = await shop.db.event.findFirst({
      where: { orderId: orderIdOf(handle), type: 'order.attention_resolved' },
    });
    expect(event?.data).toMatchObject({ decision: 'skip', actor: 'op', note: 'looked into it' });
  });

  test('a refund that is refused locally and as an activity is recorded once, with one event', async () => {
    for (const cause of [SHIP, { provider: 'payments', operation: 'refund' } as const]) {
      shop.sandbox.faults.set(cause, { mode: 'refuse' });
    }
    const handle = await needingAttention();
    const orderId = orderIdOf(handle);
    expect(await listRefunds(shop.db, orderId)).toMatchObject([{ status: 'failed' }]);
    const failed = { orderId, type: 'refund.failed' };
    expect(await shop.db.event.count({ where: failed })).toBe(1);
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'skip' });
    expect((await handle.result()).status).toBe('cancelled');
  });

  test('a skipped refund claims no money, so a refund in the dashboard is recorded and compared, and the order can be erased', async () => {
    const handle = await unrefundable();
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'skip' });
    await handle.result();
    const orderId = orderIdOf(handle);
    const payment = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
    expect(payment).toMatchObject({ status: 'captured', refundingMinor: 0 });
    const [skipped] = await listRefunds(shop.db, orderId);
    expect(skipped).toMatchObject({ status: 'failed', failureCode: 'settled_manually' });
    await refundInDashboard(shop, payment.providerReference);
    await syncRefunds({ db: shop.db, ...shop.gateways }, payment.providerReference ?? '');
    const refunded = { status: 'refunded', refundedMinor: payment.capturedMinor };
    // What has changed a moment ago is not compared yet.
    const data = { updatedAt: new Date(Date.now() - 600_000) };
    await shop.db.payment.update({ where: { orderId }, data });
    const named = { references: [], orderIds: [orderId] };
    const compared = [{ ...refunded, inFlight: false }];
    expect(await findPaymentRecords(shop.db, named)).toMatchObject(compared);
    expect(await eraseOrder(shop.db, orderId, 'system')).toBe(true);
  });

  test('the card of an order that waits says first what waits, why, and where to decide', async () => {
    const handle = await unrefundable();
    const orderId = orderIdOf(handle);
    const [first = '', , ...table] = (await cardOf(handle)).split('\n');
    const deadLetter = await deadLetterOf(shop, orderId);
    expect(first).toContain('Void or refund the payment (voidOrRefundPayment)');
    expect(first).toContain(String(deadLetter?.error));
    expect(first).toContain('Decide: retry or skip');
    expect(first).toContain(`(${PUBLIC_URL}/console/orders/${orderId})`);
    expect(first).toContain(`POST /v1/dead-letters/${deadLetter?.id}/redrive`);
    expect(table).toHaveLength(8);
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'skip' });
    await handle.result();
    expect(await cardOf(handle)).toMatch(/^Cancelled\./);
  });

  test('a decision enters the workflow history before the activity that records it is scheduled', async () => {
    const handle = await unrefundable();
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'skip' });
    await handle.result();
    const { events } = await handle.fetchHistory();
    const decided = events?.findIndex(
      (event) => event.workflowExecutionUpdateAcceptedEventAttributes,
    );
    const recorded = events?.findIndex(
      ({ activityTaskScheduledEventAttributes: scheduled }) =>
        scheduled?.activityType?.name === 'recordResolved',
    );
    expect(decided).toBeGreaterThan(0);
    expect(recorded).toBeGreaterThan(decided ?? Infinity);
  });

  test('a retried shipment cancellation that finds the parcel shipped needs attention again', async () => {
    const step = 'cancelShipment';
    shop.sandbox.faults.set(SHIP, { mode: 'answer_lost' });
    vi.spyOn(shop.gateways.warehouse, 'cancelShipment').mockRejectedValue(REJECTED);
    const handle = await shop.start();
    const orderId = orderIdOf(handle);
    await eventually(() => expect(effectsOf(shop, orderId)['ship']).toBe(1));
    await handle.cancel();
    await eventually(async () => expect(await waitingFor(handle)).toEqual([step]));
    shop.sandbox.faults.clear();
    vi.restoreAllMocks();
    await resolve(handle, { step, decision: 'retry' });
    const error = 'the parcel left before the shipment could be cancelled';
    await eventually(async () =>
      expect(await deadLetterOf(shop, orderId)).toMatchObject({
        subject: step,
        status: 'open',
        error,
      }),
    );
    await eventually(async () => expect(await waitingFor(handle)).toEqual([step]));
    await resolve(handle, { step, decision: 'skip' });
    await expect(handle.result()).rejects.toThrow('Workflow execution cancelled');
  });

  test('two failed compensations each wait for their own decision', async () => {
    vi.spyOn(shop.gateways.warehouse, 'release').mockRejectedValue(REJECTED);
    const handle = await unrefundable();
    expect(await attentionOf(shop, orderIdOf(handle))).toBe('voidOrRefundPayment, releaseStock');
    vi.restoreAllMocks();
    await resolve(handle, { step: 'releaseStock', decision: 'retry' });
    await eventually(async () => expect(await waitingFor(handle)).toEqual(['voidOrRefundPayment']));
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'retry' });
    await handle.result();
    await expectCleanSlate(shop, orderIdOf(handle));
  });
});

describe('a forward step that fails permanently', () => {
  test('an order whose capture failed ships after an operator retries it', async () => {
    const handle = await uncapturable();
    vi.restoreAllMocks();
    await resolve(handle, { step: 'capturePayment', decision: 'retry' });
    await answerShipment(handle);
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(shop, orderIdOf(handle));
  });

  test('an order whose capture failed is compensated when an operator decides to cancel', async () => {
    const handle = await uncapturable();
    await resolve(handle, { step: 'capturePayment', decision: 'cancel' });
    expect(await handle.result()).toEqual({
      status: 'cancelled',
      reason: 'requested_by_operator',
    });
    await expectCleanSlate(shop, orderIdOf(handle));
  });

  test('a cancel while the capture needs attention clears the pending decision and resolves the dead letter', async () => {
    const handle = await uncapturable();
    const arg = { reason: 'requested_by_operator', actor: 'op' } as const;
    await update(handle, { definition: cancelUpdate, arg });
    await handle.result();
    expect(await waitingFor(handle)).toEqual([]);
    expect((await deadLetterOf(shop, orderIdOf(handle)))?.status).toBe('resolved');
    await expectCleanSlate(shop, orderIdOf(handle));
  });

  test('a decision about a step that does not wait is refused', async () => {
    const handle = await unrefundable();
    const step = 'voidOrRefundPayment';
    await expect(decide(handle, { step: 'capturePayment', decision: 'retry' })).rejects.toThrow();
    await expect(decide(handle, { step, decision: 'cancel' })).rejects.toThrow();
    vi.restoreAllMocks();
    await resolve(handle, { step, decision: 'retry' });
    await handle.result();
    await expectCleanSlate(shop, orderIdOf(handle));
  });
});

describe('a step that is retried', () => {
  const shown = async (orderId: OrderId, role: 'operator' | 'storefront') => {
    const response = await shop.request('GET', `/v1/orders/${orderId}`, { role });
    return troubleView.parse(await response.json()).trouble;
  };
  const metrics = async () => (await shop.request('GET', '/metrics', { role: null })).text();

  test('a retried step is shown to operators with its cause until it succeeds, and then its order has no trouble', async () => {
    shop.sandbox.faults.set(CAPTURE, { mode: 'down' });
    const handle = await shop.start();
    const orderId = orderIdOf(handle);
    await eventually(async () => {
      const [trouble, ...others] = await shown(orderId, 'operator');
      expect(others).toEqual([]);
      expect(trouble).toMatchObject({
        step: 'capturePayment',
        last_failure: 'capture: connection to the payment provider lost',
      });
      expect(trouble?.attempts).toBeGreaterThan(2);
      const { first_failed_at: first = '', last_failed_at: last = '' } = trouble ?? {};
      expect(Date.parse(last)).toBeGreaterThan(Date.parse(first));
      expect(Date.parse(trouble?.next_attempt_at ?? '')).toBeGreaterThan(Date.parse(last));
    });
    expect(await shown(orderId, 'storefront')).toEqual([]);
    await eventually(async () =>
      expect(await metrics()).toContain('holdfast_steps_retrying{step="capturePayment"} 1\n'),
    );
    shop.sandbox.faults.clear();
    await eventually(async () => expect(await shown(orderId, 'operator')).toEqual([]));
    expect(await shop.db.stepAttempt.count({ where: { orderId } })).toBe(0);
    await answerShipment(handle);
    await handle.result();
    await expectShipped(shop, orderId);
    expect(await metrics()).toMatch(/^holdfast_placed_to_shipped_seconds_count [1-9]/m);
  });

  test('a step that gave up and waits for a person is attention and no trouble', async () => {
    const orderId = orderIdOf(await uncapturable());
    expect(await shown(orderId, 'operator')).toEqual([]);
    expect(await attentionOf(shop, orderId)).toBe('capturePayment');
  });
});

const troubleView = z.looseObject({
  trouble: z.array(
    z.object({
      step: z.string(),
      attempts: z.number(),
      first_failed_at: z.string(),
      last_failed_at: z.string(),
      last_failure: z.string(),
      next_attempt_at: z.string(),
    }),
  ),
});

/** An order that the warehouse refuses to ship and whose payment cannot be refunded. */
async function unrefundable(): Promise<CheckoutHandle> {
  shop.sandbox.faults.set(SHIP, { mode: 'refuse' });
  vi.spyOn(shop.gateways.payments, 'refund').mockRejectedValue(REJECTED);
  return needingAttention();
}

async function uncapturable(): Promise<CheckoutHandle> {
  vi.spyOn(shop.gateways.payments, 'capture').mockRejectedValue(REJECTED);
  return needingAttention();
}

/** Starts an order and waits until it needs attention. */
async function needingAttention(): Promise<CheckoutHandle> {
  const handle = await shop.start();
  await eventually(async () => {
    expect((await viewOf(handle)).status).toBe('needs_attention');
  });
  return handle;
}

describe('a shipment that is held for a case of its payment', () => {
  test('a shipment is held while a review of its payment is open, and ships once that is approved', async () => {
    const { handle, opened } = await heldFor('reviews');
    const card = await currentDetailsOf(handle);
    expect(card).toContain(`**Held**: review ${opened.id.replaceAll('_', String.raw`\_`)}`);
    expect(effectsOf(shop, orderIdOf(handle))['ship']).toBeUndefined();
    // Whatever sends it: the cases decide.
    await handle.signal(shipmentReleasedSignal);
    await eventually(async () => expect(await currentDetailsOf(handle)).toContain('**Held**'));
    await atProvider(shop, `/payments/reviews/${opened.id}/approve`);
    expect(await followCase(shop.services, { kind: 'review', id: opened.id })).toBe('done');
    await answerShipment(handle);
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(shop, orderIdOf(handle));
  });

  test('an order whose shipment is held is cancelled at once, without a call to the warehouse', async () => {
    const { handle } = await heldFor('warnings');
    const arg = { reason: 'requested_by_operator', actor: 'op' } as const;
    await update(handle, { definition: cancelUpdate, arg });
    expect((await handle.result()).status).toBe('cancelled');
    expect(await cardOf(handle)).not.toContain('Held');
    await expectCleanSlate(shop, orderIdOf(handle));
    expect(effectsOf(shop, orderIdOf(handle))['ship']).toBeUndefined();
  });

  /** An order whose case was known before its shipment was due. */
  async function heldFor(kind: 'warnings' | 'reviews') {
    await shop.stopWorker('checkouts');
    const handle = await shop.start();
    const orderId = orderIdOf(handle);
    const opened = await openCase(shop, orderId, [kind]);
    const ours = kind === 'reviews' ? 'review' : 'fraud_warning';
    await followCase(shop.services, { kind: ours, id: opened.id });
    await shop.startWorker('checkouts');
    await eventually(async () => expect(await currentDetailsOf(handle)).toContain('**Held**'));
    return { handle, opened };
  }
});
