import { beforeAll, describe, expect, onTestFinished, vi } from 'vitest';
import { createApp } from '../../api/app.ts';
import { PAYMENT_LIMITS } from '../../gateways/resilience/limits.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { CHALLENGED_CARD } from '../support/client.ts';
import { eventTypesOf, expectLedgersMatch } from '../support/expectations.ts';
import { eventually } from '../support/eventually.ts';
import { expectInvariants } from '../support/invariants.ts';
import { heldMugs, passDeadline } from '../support/orders.ts';
import {
  sendPaymentWebhook,
  settleChallenge,
  webhookPayload,
} from '../support/provider-messages.ts';
import { problemOf } from '../support/responses.ts';
import { paymentEffects, useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';
import { test } from './matrix-case.ts';
import { confirm, expectExpired, recover, waitingIn, type Waiting } from './settling.ts';

const CHALLENGE = { provider: 'payments', operation: 'challenge' } as const;
const LOOK_UP = { provider: 'payments', operation: 'lookup' } as const;
/** Long enough to get to the provider on a busy machine. */
const DEADLINE_MS = 1_500;
const AUTHORIZED = 'payment_intent.amount_capturable_updated';
const PLACED = ['order.created', 'order.payment_action_required', 'order.placed'];
/** Looks at every order that waits, however new. */
const RECHECK = { recheckMs: 0 };

/** What happens between the request to void a payment and the void itself; once. */
let beforeVoid: (() => Promise<void>) | null = null;
const payments = (real: PaymentGateway): PaymentGateway => ({
  ...real,
  async voidAuthorization(request) {
    const act = beforeVoid;
    beforeVoid = null;
    await act?.();
    return real.voidAuthorization(request);
  },
});
const shop = useShop({ deadlines: { callMs: DEADLINE_MS }, payments });
beforeAll(async () => {
  // Keys and products are cached, connections open: from now on faults hit the order.
  await shop.place();
});

describe('a payment that the shopper has to confirm', () => {
  test('[A1/F1] an order whose bank does not answer the shopper waits, asks again, and is placed once', async (proof) => {
    const waiting = await placeAndWait('bank-down');
    shop.sandbox.faults.set(CHALLENGE, { mode: 'fail_before', times: 1 });
    await expect(settleChallenge(shop, waiting.intentId, 'authenticated')).rejects.toThrow();
    proof.firedAll(shop.sandbox.faults);
    expect((await confirm(shop, waiting)).status).toBe(202);
    expect(paymentEffects(shop, waiting.orderId)).toEqual({});
    await settleChallenge(shop, waiting.intentId, 'authenticated');
    await expectPlacedOnce(waiting);
  });

  for (const mode of ['down', 'answer_lost'] as const) {
    test(`[A1/F1] [A1/F2] a confirm under ${mode} at the provider's lookup gets 503, and the next one places the order once`, async (proof) => {
      const waiting = await placeAndWait(`lookup-${mode}`);
      await settleChallenge(shop, waiting.intentId, 'authenticated');
      shop.sandbox.faults.set(LOOK_UP, { mode, times: 1 });
      await expectUnavailable(await confirm(shop, waiting));
      proof.firedAll(shop.sandbox.faults);
      expect(await statusOf(waiting)).toBe('pending');
      await expectPlacedOnce(waiting);
    });
  }

  test('[A1/F2] a shopper whose bank lost the answer, and who closed the page, has ordered once', async (proof) => {
    const waiting = await placeAndWait('page-closed');
    shop.sandbox.faults.set(CHALLENGE, { mode: 'answer_lost', times: 1 });
    await expect(settleChallenge(shop, waiting.intentId, 'authenticated')).rejects.toThrow();
    proof.firedAll(shop.sandbox.faults);
    // Neither the page nor a webhook: the recovery looks it up.
    await recover(shop, RECHECK);
    expect(await statusOf(waiting)).toBe('placed');
    await expectPlacedOnce(waiting);
  });

  test('[A1/F3] a confirm gets 503 in time while the provider hangs, and the next one places the order once', async (proof) => {
    const waiting = await placeAndWait('hanging');
    await settleChallenge(shop, waiting.intentId, 'authenticated');
    shop.sandbox.faults.set(LOOK_UP, { mode: 'hang', times: 1 });
    await expectUnavailable(await confirm(shop, waiting));
    proof.firedAll(shop.sandbox.faults);
    await expectPlacedOnce(waiting);
  });

  test('[A1/F4] pages, webhooks and the recovery at once place the order once', async (proof) => {
    const waiting = await placeAndWait('all-at-once');
    await settleChallenge(shop, waiting.intentId, 'authenticated');
    const answers = await Promise.all([
      ...times(5, () => confirm(shop, waiting)),
      ...times(5, (n) => webhook(waiting, AUTHORIZED, `evt_once_${n}`)),
      ...times(5, () => webhook(waiting, AUTHORIZED, 'evt_same')),
      ...times(2, () => recover(shop, RECHECK)),
    ]);
    proof.fired(answers.length);
    await expectPlacedOnce(waiting);
    expect(
      shop.checkouts.started.filter(({ orderId }) => orderId === waiting.orderId),
    ).toHaveLength(1);
  });

  test('[A1/F4] webhooks in the wrong order, twice, and long after the end change nothing', async (proof) => {
    const waiting = await placeAndWait('late');
    // Ahead of its time: the shopper has not confirmed anything.
    for (const id of ['evt_early', 'evt_early']) await webhook(waiting, AUTHORIZED, id);
    expect(await statusOf(waiting)).toBe('pending');
    await settleChallenge(shop, waiting.intentId, 'authenticated');
    // It says failed; the provider says confirmed.
    await webhook(waiting, 'payment_intent.payment_failed', 'evt_wrong');
    expect(await statusOf(waiting)).toBe('placed');
    for (const type of [AUTHORIZED, 'payment_intent.requires_action', 'payment_intent.canceled']) {
      await webhook(waiting, type, `evt_late_${type}`);
      await recover(shop, RECHECK);
    }
    proof.fired(6);
    await expectPlacedOnce(waiting);
  });

  test('[A1/F6] a confirmed order outlives a provider that is down past its deadline, and is placed once', async (proof) => {
    const gateway = createStripePayments({ apiKey: 'sk_test_shop', apiUrl: shop.sandbox.url });
    const app = createApp({ ...shop.services, payments: gateway });
    const waiting = await placeAndWait('away');
    await settleChallenge(shop, waiting.intentId, 'authenticated');
    shop.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    for (let count = 0; count < 12; count += 1) {
      await expectUnavailable(
        await app.request(`/v1/orders/${waiting.orderId}/confirm`, STOREFRONT),
      );
    }
    proof.firedAll(shop.sandbox.faults);
    expect(firedAt('lookup'), 'an open circuit calls no provider').toBeLessThan(12);
    await passDeadline(shop.db, waiting.orderId);
    await recover(shop, RECHECK);
    expect(await statusOf(waiting)).toBe('pending');
    shop.sandbox.faults.clear();
    advanceToProbe();
    await eventually(async () => {
      await recover(shop, RECHECK);
      expect(await statusOf(waiting)).toBe('placed');
    });
    await expectPlacedOnce(waiting);
  });

  test('[A1/F6] an order that is not confirmed expires once the provider is back, and can never be paid', async (proof) => {
    const before = await heldMugs(shop.db);
    const waiting = await placeAndWait('nobody');
    await passDeadline(shop.db, waiting.orderId);
    shop.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    await recover(shop, RECHECK);
    expect(await statusOf(waiting)).toBe('pending');
    proof.firedAll(shop.sandbox.faults);
    shop.sandbox.faults.clear();
    await expectExpired(shop, waiting.orderId, {});
    await expect(settleChallenge(shop, waiting.intentId, 'authenticated')).rejects.toThrow(
      'payment_intent_unexpected_state',
    );
    await webhook(waiting, 'payment_intent.canceled', 'evt_ended');
    expect(await problemOf(await confirm(shop, waiting))).toMatchObject({ code: 'order_expired' });
    expect(await heldMugs(shop.db)).toBe(before);
  });

  test('[A1/F4] a shopper who confirms while the order is being voided is not charged', async (proof) => {
    const waiting = await placeAndWait('too-late');
    await passDeadline(shop.db, waiting.orderId);
    beforeVoid = async () => {
      await settleChallenge(shop, waiting.intentId, 'authenticated');
      // The webhook and the page come first as well: the void has been requested already.
      await webhook(waiting, AUTHORIZED, 'evt_too_late');
      proof.fired(1);
    };
    await expectExpired(shop, waiting.orderId, { authorize: 1, void: 1 });
    expect(await problemOf(await confirm(shop, waiting))).toMatchObject({ code: 'order_expired' });
  });

  test('[A1/F4] a shopper who fails is declined once, and cannot pay the ended order by another card', async (proof) => {
    const before = await heldMugs(shop.db);
    const waiting = await placeAndWait('failing');
    await settleChallenge(shop, waiting.intentId, 'failed');
    const failed = 'payment_intent.payment_failed';
    const [answer] = await Promise.all([
      confirm(shop, waiting),
      confirm(shop, waiting),
      webhook(waiting, failed, 'evt_failed'),
      webhook(waiting, failed, 'evt_failed'),
    ]);
    proof.fired(3);
    const problem = { code: 'payment_declined' };
    expect(await problemOf(answer)).toMatchObject(problem);
    const repeated = await shop.place({ payment_method: CHALLENGED_CARD }, 'failing');
    expect(await problemOf(repeated)).toMatchObject(problem);
    expect(await statusOf(waiting)).toBe('declined');
    expect(paymentEffects(shop, waiting.orderId)).toEqual({});
    expect(await intentStatus(waiting)).toBe('canceled');
    expect(await heldMugs(shop.db)).toBe(before);
  });

  test('after all of it our records agree with the provider', async () => {
    const waiting = await shop.db.payment.count({ where: { status: 'requires_action' } });
    expect(waiting).toBe(0);
    await expectInvariants(shop.db);
    await expectLedgersMatch(shop);
  });
});

const STOREFRONT = {
  method: 'POST',
  headers: { authorization: 'Bearer hf_local_storefront' },
} as const;

interface Challenged extends Waiting {
  readonly key: string;
}

async function placeAndWait(key: string): Promise<Challenged> {
  const response = await shop.place({ payment_method: CHALLENGED_CARD }, key);
  expect(response.status).toBe(202);
  return { key, ...waitingIn(await response.text()) };
}

/** A webhook about the order's payment. Only its name is believed, not what it says. */
function webhook({ intentId, orderId }: Waiting, type: string, id: string): Promise<Response> {
  const metadata = { order_id: orderId };
  return sendPaymentWebhook(
    shop,
    webhookPayload(id, type, { id: intentId, object: 'payment_intent', metadata }),
  );
}

/** Placed and authorized once, by one event each; page and key get the same order. */
async function expectPlacedOnce(waiting: Challenged): Promise<void> {
  const confirmed = await confirm(shop, waiting);
  expect(confirmed.status).toBe(200);
  const repeated = await shop.place({ payment_method: CHALLENGED_CARD }, waiting.key);
  expect([repeated.status, await repeated.text()]).toEqual([201, await confirmed.text()]);
  expect(paymentEffects(shop, waiting.orderId)).toEqual({ authorize: 1 });
  expect(await eventTypesOf(shop, waiting.orderId)).toEqual(PLACED);
}

async function expectUnavailable(response: Response): Promise<void> {
  expect(await problemOf(response)).toMatchObject({ status: 503, code: 'payment_unavailable' });
  expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
}

async function statusOf({ orderId }: Waiting): Promise<string> {
  return (await shop.db.order.findUniqueOrThrow({ where: { id: orderId } })).status;
}

async function intentStatus({ intentId }: Waiting): Promise<unknown> {
  const found = await shop.gateways.payments.lookUpReference(intentId);
  if (found.kind !== 'found') return found.kind;
  return found.payment.state === 'voided' ? 'canceled' : found.payment.state;
}

function firedAt(operation: string): number {
  return shop.sandbox.faults.list().find((each) => each.operation === operation)?.fired ?? 0;
}

/** Moves the clock of this process to the next probe of an open circuit, until the test ends. */
function advanceToProbe(): void {
  const now = Date.now() + PAYMENT_LIMITS.lookup.halfOpenAfterMs;
  vi.useFakeTimers({ toFake: ['Date'], now });
  onTestFinished(() => void vi.useRealTimers());
}
