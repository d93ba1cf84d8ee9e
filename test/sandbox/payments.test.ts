import Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import { authorize, counted, openSandbox, stripeOf } from './shop.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('holding and taking money with the official client', () => {
  test('an authorization can be captured in part and refunded only up to the captured amount', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const intent = await authorize(stripe, { orderId: 'ord_1' });
    expect(intent).toMatchObject({ status: 'requires_capture', amount_capturable: 1200 });

    const taken = await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 1000 });
    expect(taken).toMatchObject({ status: 'succeeded', amount_received: 1000 });

    await expect(
      stripe.refunds.create({ payment_intent: intent.id, amount: 1001 }),
    ).rejects.toMatchObject({ statusCode: 400, param: 'amount' });
    const first = await stripe.refunds.create({ payment_intent: intent.id, amount: 400 });
    await stripe.refunds.create({ payment_intent: intent.id });
    await expect(stripe.refunds.create({ payment_intent: intent.id })).rejects.toMatchObject({
      code: 'charge_already_refunded',
    });

    const seen = await stripe.paymentIntents.retrieve(intent.id, { expand: ['latest_charge'] });
    // What the capture released is no refund.
    expect(seen.latest_charge).toMatchObject({ amount_captured: 1000, amount_refunded: 1000 });
    const refunds = await stripe.refunds.list({ payment_intent: intent.id });
    expect(refunds.data.map((refund) => refund.amount)).toEqual([600, 400]);
    expect(await stripe.refunds.retrieve(first.id)).toMatchObject({ status: 'succeeded' });
    expect(counted(sandbox, 'payments')).toEqual({ authorize: 1, capture: 1, refund: 2 });
  });

  test('a ledger row names the key, the order, the amount and the currency', async () => {
    const sandbox = await openSandbox();
    await authorize(stripeOf(sandbox), { orderId: 'ord_1' });
    expect(sandbox.ledgers.payments.effects()).toEqual([
      {
        key: 'ord_1/authorize',
        operation: 'authorize',
        order_id: 'ord_1',
        amount_minor: 1200,
        currency: 'EUR',
        at: expect.any(String),
      },
    ]);
  });

  test('a voided authorization cannot be captured, and a captured one cannot be voided', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const voided = await authorize(stripe, { orderId: 'ord_1' });
    await stripe.paymentIntents.cancel(voided.id);
    await expect(stripe.paymentIntents.capture(voided.id)).rejects.toMatchObject({
      code: 'payment_intent_unexpected_state',
      payment_intent: { status: 'canceled' },
    });
    const captured = await authorize(stripe, { orderId: 'ord_2' });
    await stripe.paymentIntents.capture(captured.id);
    await expect(stripe.paymentIntents.cancel(captured.id)).rejects.toMatchObject({
      code: 'payment_intent_unexpected_state',
      payment_intent: { status: 'succeeded' },
    });
    expect(counted(sandbox, 'payments')).toEqual({ authorize: 2, void: 1, capture: 1 });
  });

  test('an authorization expires after seven days of the sandbox clock', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const intent = await authorize(stripe, { orderId: 'ord_1' });
    sandbox.clock.setOffset(7 * DAY_MS - 60_000);
    expect(await stripe.paymentIntents.retrieve(intent.id)).toMatchObject({
      status: 'requires_capture',
    });
    sandbox.clock.setOffset(7 * DAY_MS);
    await expect(stripe.paymentIntents.capture(intent.id)).rejects.toMatchObject({
      payment_intent: { status: 'canceled', cancellation_reason: 'expired' },
    });
  });
});

describe('declines and bad requests', () => {
  test.each([
    ['pm_card_chargeDeclined', 'card_declined', 'generic_decline'],
    ['pm_card_visa_chargeDeclined', 'card_declined', 'generic_decline'],
    ['pm_card_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
    ['pm_card_chargeDeclinedLostCard', 'card_declined', 'lost_card'],
    ['pm_card_chargeDeclinedStolenCard', 'card_declined', 'stolen_card'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card', 'expired_card'],
    ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc', 'incorrect_cvc'],
    ['pm_card_chargeDeclinedProcessingError', 'processing_error', 'processing_error'],
    ['pm_card_radarBlock', 'card_declined', 'fraudulent'],
  ])('%s is declined as %s (%s), and nothing is held', async (paymentMethod, code, decline) => {
    const sandbox = await openSandbox();
    const refused = authorize(stripeOf(sandbox), { orderId: 'ord_1', paymentMethod });
    await expect(refused).rejects.toBeInstanceOf(Stripe.errors.StripeCardError);
    await expect(refused).rejects.toMatchObject({
      code,
      decline_code: decline,
      payment_intent: { status: 'requires_payment_method' },
    });
    expect(sandbox.ledgers.payments.effects()).toEqual([]);
  });

  test.each([
    ['an unknown payment method', { paymentMethod: 'pm_nobody' }, 'payment_method'],
    ['an amount of zero', { amountMinor: 0 }, 'amount'],
    ['a negative amount', { amountMinor: -1 }, 'amount'],
    ['a fractional amount', { amountMinor: 0.5 }, 'amount'],
    ['an amount beyond the limit', { amountMinor: 100_000_000 }, 'amount'],
  ])('an authorization with %s returns 400 and names the parameter', async (_what, wish, param) => {
    const stripe = stripeOf(await openSandbox());
    await expect(authorize(stripe, { orderId: 'ord_1', ...wish })).rejects.toMatchObject({
      type: 'StripeInvalidRequestError',
      statusCode: 400,
      param,
    });
  });

  test('an unknown currency returns 400, an unknown intent 404 and a wrong API key 401', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    await expect(
      stripe.paymentIntents.create({
        amount: 100,
        currency: 'zzz',
        payment_method: 'pm_card_visa',
        confirm: true,
        capture_method: 'manual',
      }),
    ).rejects.toMatchObject({ statusCode: 400, param: 'currency' });
    await expect(stripe.paymentIntents.retrieve('pi_none')).rejects.toMatchObject({
      statusCode: 404,
      code: 'resource_missing',
    });
    const { hostname, port } = new URL(sandbox.url);
    const stranger = new Stripe('pk_test', {
      host: hostname,
      port: Number(port),
      protocol: 'http',
    });
    await expect(stranger.paymentIntents.list()).rejects.toMatchObject({ statusCode: 401 });
  });
});

describe('idempotency keys', () => {
  test('the same key and parameters replay the first response, including a decline', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const first = await authorize(stripe, { orderId: 'ord_1' });
    const again = await authorize(stripe, { orderId: 'ord_1' });
    expect(again.id).toBe(first.id);
    expect(again.lastResponse.headers['idempotent-replayed']).toBe('true');
    const declined = { orderId: 'ord_2', paymentMethod: 'pm_card_chargeDeclined' };
    const one = await authorize(stripe, declined).catch((error: unknown) => error);
    const two = await authorize(stripe, declined).catch((error: unknown) => error);
    expect(two).toMatchObject({ payment_intent: { id: intentIdOf(one) } });
    expect(counted(sandbox, 'payments')).toEqual({ authorize: 1 });
  });

  test('a saved 500 is replayed under its key for a day, and then the request is carried out', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const place = { provider: 'payments', operation: 'authorize' } as const;
    sandbox.faults.set(place, { mode: 'fail_saved', times: 1 });
    const request = { orderId: 'ord_1' };
    await expect(authorize(stripe, request)).rejects.toMatchObject({ statusCode: 500 });
    sandbox.clock.setOffset(DAY_MS - 60_000);
    await expect(authorize(stripe, request)).rejects.toMatchObject({
      statusCode: 500,
      headers: { 'idempotent-replayed': 'true' },
    });
    expect(counted(sandbox, 'payments')).toEqual({});
    sandbox.clock.setOffset(DAY_MS);
    expect(await authorize(stripe, request)).toMatchObject({ status: 'requires_capture' });
    expect(counted(sandbox, 'payments')).toEqual({ authorize: 1 });
  });

  test('the same key with other parameters returns an idempotency error', async () => {
    const stripe = stripeOf(await openSandbox());
    await authorize(stripe, { orderId: 'ord_1' });
    await expect(authorize(stripe, { orderId: 'ord_1', amountMinor: 1 })).rejects.toMatchObject({
      type: 'StripeIdempotencyError',
      statusCode: 400,
    });
  });

  test('a concurrent request with a key in use returns 409, and the effect happens once', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const place = { provider: 'payments', operation: 'authorize' } as const;
    sandbox.faults.set(place, { mode: 'latency', latency_ms: 200, times: 1 });
    const both = await Promise.allSettled([
      authorize(stripe, { orderId: 'ord_1' }),
      authorize(stripe, { orderId: 'ord_1' }),
    ]);
    expect(both.map((each) => each.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(both).toContainEqual({
      status: 'rejected',
      reason: expect.objectContaining({ statusCode: 409, code: 'idempotency_key_in_use' }),
    });
    expect(counted(sandbox, 'payments')).toEqual({ authorize: 1 });
  });

  test('an idempotency key expires after a day of the sandbox clock and then authorizes again', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const first = await authorize(stripe, { orderId: 'ord_1' });
    sandbox.clock.setOffset(DAY_MS - 60_000);
    expect((await authorize(stripe, { orderId: 'ord_1' })).id).toBe(first.id);
    sandbox.clock.setOffset(DAY_MS);
    expect((await authorize(stripe, { orderId: 'ord_1' })).id).not.toBe(first.id);
    expect(counted(sandbox, 'payments')).toEqual({ authorize: 2 });
  });
});

test('a payment is found by a search for its order and by paging through the list', async () => {
  const stripe = stripeOf(await openSandbox());
  const mine = await authorize(stripe, { orderId: 'ord_1' });
  await authorize(stripe, { orderId: 'ord_2' });
  const query = "metadata['order_id']:'ord_1' AND status:'requires_capture'";
  const found = await stripe.paymentIntents.search({ query });
  expect(found.data.map((intent) => intent.id)).toEqual([mine.id]);
  const page = await stripe.paymentIntents.list({ limit: 1, created: { gte: mine.created } });
  expect(page.has_more).toBe(true);
  const rest = await stripe.paymentIntents.list({ starting_after: page.data[0]?.id ?? '' });
  expect(rest.data.map((intent) => intent.id)).toEqual([mine.id]);
  const future = await stripe.paymentIntents.list({ created: { gte: mine.created + 3600 } });
  expect(future.data).toEqual([]);
});

function intentIdOf(error: unknown): string | undefined {
  return error instanceof Stripe.errors.StripeError ? error.payment_intent?.id : undefined;
}
