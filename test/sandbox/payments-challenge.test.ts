import type Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { makeDir } from '../support/run-files.ts';
import {
  WEBHOOK_SECRET,
  authorize,
  call,
  counted,
  openReceiver,
  openSandbox,
  stripeOf,
} from './shop.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const ASKING = 'pm_card_threeDSecure2Required';

describe('a payment that its shopper has to authenticate', () => {
  test.each([
    'pm_card_authenticationRequired',
    'pm_card_authenticationRequiredOnSetup',
    'pm_card_authenticationRequiredSetupForOffSession',
    'pm_card_authenticationRequiredChargeDeclinedInsufficientFunds',
    'pm_card_threeDSecureRequired',
    'pm_card_threeDSecure2Required',
    'pm_card_threeDSecureRequiredChargeDeclined',
  ])('%s waits with what Stripe.js needs, and nothing is held', async (paymentMethod) => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const created = await authorize(stripe, { orderId: 'ord_1', paymentMethod });
    const intent = await stripe.paymentIntents.retrieve(created.id, { expand: ['latest_charge'] });
    expect(intent).toMatchObject({
      status: 'requires_action',
      amount_capturable: 0,
      client_secret: expect.stringMatching(new RegExp(`^${intent.id}_secret_`)),
      last_payment_error: null,
      latest_charge: null,
      next_action: {
        type: 'use_stripe_sdk',
        use_stripe_sdk: {
          type: 'three_d_secure_redirect',
          stripe_js: `${sandbox.url}/challenge/${intent.id}`,
        },
      },
      payment_method: paymentMethod,
    });
    await expect(stripe.paymentIntents.capture(intent.id)).rejects.toMatchObject({
      code: 'payment_intent_unexpected_state',
    });
    expect(sandbox.ledgers.payments.effects()).toEqual([]);
  });

  test('once authenticated it is authorized, once, under the key of its creation', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const { id } = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    sandbox.clock.setOffset(DAY_MS);
    expect(await settle(sandbox, id, 'authenticated')).toMatchObject({
      status: 200,
      body: { id, status: 'requires_capture', next_action: null },
    });
    for (const outcome of ['authenticated', 'failed']) {
      expect(await settle(sandbox, id, outcome)).toMatchObject({
        status: 400,
        body: { error: { code: 'payment_intent_unexpected_state' } },
      });
    }
    expect(sandbox.ledgers.payments.effects()).toMatchObject([
      { operation: 'authorize', key: 'ord_1/authorize', order_id: 'ord_1', amount_minor: 1200 },
    ]);
    // The week of the authorization begins with it, not with the wait for the shopper.
    sandbox.clock.setOffset(8 * DAY_MS - 60_000);
    expect(await stripe.paymentIntents.capture(id)).toMatchObject({ status: 'succeeded' });
    expect(counted(sandbox, 'payments')).toEqual({ authorize: 1, capture: 1 });
  });

  test.each([
    ['pm_card_authenticationRequiredChargeDeclinedInsufficientFunds', 'insufficient_funds'],
    ['pm_card_threeDSecureRequiredChargeDeclined', 'generic_decline'],
  ])('%s is declined as %s after its authentication', async (paymentMethod, declineCode) => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const { id } = await authorize(stripe, { orderId: 'ord_1', paymentMethod });
    await settle(sandbox, id, 'authenticated');
    expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({
      status: 'requires_payment_method',
      last_payment_error: { code: 'card_declined', decline_code: declineCode },
      next_action: null,
      payment_method: null,
    });
    expect(sandbox.ledgers.payments.effects()).toEqual([]);
  });

  test('a failed authentication leaves Stripe’s error, no charge and no effect', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const { id } = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    await settle(sandbox, id, 'failed');
    const intent = await stripe.paymentIntents.retrieve(id);
    expect(intent).toMatchObject({
      status: 'requires_payment_method',
      last_payment_error: {
        type: 'invalid_request_error',
        code: 'payment_intent_authentication_failure',
      },
      latest_charge: null,
    });
    expect(intent.last_payment_error?.decline_code).toBeUndefined();
    expect(sandbox.ledgers.payments.effects()).toEqual([]);
  });

  test('canceled while it waits, it cannot be authenticated, and no void is recorded', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const { id } = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    expect(await stripe.paymentIntents.cancel(id)).toMatchObject({ status: 'canceled' });
    expect(await settle(sandbox, id, 'authenticated')).toMatchObject({
      status: 400,
      body: { error: { code: 'payment_intent_unexpected_state' } },
    });
    expect(sandbox.ledgers.payments.effects()).toEqual([]);
  });

  test('a repeat of the creation is the first response, even after the authentication', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const first = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    await settle(sandbox, first.id, 'authenticated');
    const again = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    expect(again).toMatchObject({ id: first.id, status: 'requires_action' });
    expect(counted(sandbox, 'payments')).toEqual({ authorize: 1 });
  });

  test('each change is reported by the event that Stripe has for it', async () => {
    const shop = await openReceiver();
    const target = { url: `${shop.url}/callbacks/payments`, secret: WEBHOOK_SECRET };
    const sandbox = await openSandbox({ paymentsWebhook: target });
    const stripe = stripeOf(sandbox);
    const good = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    const bad = await authorize(stripe, { orderId: 'ord_2', paymentMethod: ASKING });
    await settle(sandbox, good.id, 'authenticated');
    await settle(sandbox, bad.id, 'failed');
    const expected = [
      `payment_intent.requires_action ${good.id} requires_action`,
      `payment_intent.requires_action ${bad.id} requires_action`,
      `payment_intent.amount_capturable_updated ${good.id} requires_capture`,
      `payment_intent.payment_failed ${bad.id} requires_payment_method`,
    ];
    await eventually(() => {
      const events = shop.received.map(({ body }) => eventIn(body));
      expect(events.toSorted()).toEqual(expected.toSorted());
    });
  });
});

test.each([
  'pm_card_threeDSecureOptional',
  'pm_card_threeDSecureOptionalProcessingError',
  'pm_card_amex_threeDSecureNotSupported',
])('%s is authorized without a question', async (paymentMethod) => {
  const stripe = stripeOf(await openSandbox());
  expect(await authorize(stripe, { orderId: 'ord_1', paymentMethod })).toMatchObject({
    status: 'requires_capture',
    next_action: null,
  });
});

test('a card whose lookup for 3-D Secure fails is declined at once', async () => {
  const sandbox = await openSandbox();
  const paymentMethod = 'pm_card_threeDSecureRequiredProcessingError';
  await expect(
    authorize(stripeOf(sandbox), { orderId: 'ord_1', paymentMethod }),
  ).rejects.toMatchObject({ code: 'card_declined' });
});

describe('the control of a challenge', () => {
  test('an unknown payment and an unknown outcome are refused, and nothing changes', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const { id } = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    expect(await settle(sandbox, 'pi_none', 'authenticated')).toMatchObject({ status: 404 });
    expect(await settle(sandbox, id, 'perhaps')).toMatchObject({
      status: 400,
      body: { error: { message: 'Give outcome: authenticated or failed.' } },
    });
    expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({ status: 'requires_action' });
  });

  test('a fault of the bank leaves it undecided, loses the answer, or fails it', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const place = { provider: 'payments', operation: 'challenge' } as const;
    const statusAfter = async (mode: 'down' | 'answer_lost' | 'refuse' | 'fail_before') => {
      const { id } = await authorize(stripe, { orderId: `ord_${mode}`, paymentMethod: ASKING });
      sandbox.faults.set(place, { mode, times: 1 });
      await settle(sandbox, id, 'authenticated').catch(() => null);
      return (await stripe.paymentIntents.retrieve(id)).status;
    };
    expect(await statusAfter('down')).toBe('requires_action');
    expect(await statusAfter('fail_before')).toBe('requires_action');
    expect(await statusAfter('answer_lost')).toBe('requires_capture');
    expect(await statusAfter('refuse')).toBe('requires_payment_method');
  });
});

describe('the page of a challenge', () => {
  test('the page names the amount and the order, and its form authenticates without a script', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const { id } = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    const index = await (await fetch(sandbox.url)).text();
    expect(index).toContain(`href="/challenge/${id}"`);
    const asked = await (await fetch(`${sandbox.url}/challenge/${id}`)).text();
    expect(asked).toContain('€12.00 for order ord_1');
    expect(asked).not.toContain(`${id}_secret_`);
    const answered = await submit(sandbox, id, { outcome: 'authenticated' });
    expect(await answered.text()).toContain('The payment is confirmed.');
    expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({ status: 'requires_capture' });
    const again = await submit(sandbox, id, { outcome: 'failed' });
    expect(await again.text()).toContain('The payment is confirmed.');
    expect(await (await fetch(sandbox.url)).text()).not.toContain(`/challenge/${id}`);
  });

  test('the shopper returns to an address of this machine, and to no other', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const { id } = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    const back = 'http://localhost:3000/shop/orders/ord_1?paid=1';
    const page = `${sandbox.url}/challenge/${id}?return_url=`;
    const asked = await fetch(page + encodeURIComponent(back));
    expect(asked.headers.get('content-security-policy')).toContain(
      "form-action 'self' http://localhost:3000",
    );
    const elsewhere = [
      'https://elsewhere.example/',
      'https://127.0.0.1.elsewhere.example/',
      'http://localhost@elsewhere.example/',
      'javascript:alert(1)',
      '/orders',
    ];
    for (const returnUrl of elsewhere) {
      const refused = await fetch(page + encodeURIComponent(returnUrl));
      expect([returnUrl, refused.status]).toEqual([returnUrl, 400]);
      await submit(sandbox, id, { outcome: 'failed', return_url: returnUrl });
    }
    const answered = await submit(sandbox, id, { outcome: 'authenticated', return_url: back });
    expect([answered.status, answered.headers.get('location')]).toEqual([303, back]);
  });

  test('while the bank does not answer, the page says so and asks again', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const { id } = await authorize(stripe, { orderId: 'ord_1', paymentMethod: ASKING });
    const place = { provider: 'payments', operation: 'challenge' } as const;
    sandbox.faults.set(place, { mode: 'fail_before', times: 1 });
    const page = await (await submit(sandbox, id, { outcome: 'authenticated' })).text();
    expect(page).toContain('The bank did not answer. Try again.');
    expect(page).toContain('Complete authentication');
  });

  test('an unknown payment has no page, and a form of another origin changes nothing', async () => {
    const sandbox = await openSandbox();
    const { id } = await authorize(stripeOf(sandbox), { orderId: 'ord_1', paymentMethod: ASKING });
    expect((await fetch(`${sandbox.url}/challenge/pi_none`)).status).toBe(404);
    const form = { outcome: 'authenticated', origin: 'https://elsewhere.example' };
    expect((await submit(sandbox, id, form)).status).toBe(403);
    expect(sandbox.ledgers.payments.effects()).toEqual([]);
  });
});

test('a payment that waits is there after a restart of the sandbox', async () => {
  const stateDir = makeDir('sandbox');
  const before = await openSandbox({ stateDir });
  const { id } = await authorize(stripeOf(before), { orderId: 'ord_1', paymentMethod: ASKING });
  await before.close();
  const after = await openSandbox({ stateDir });
  await settle(after, id, 'authenticated');
  expect(counted(after, 'payments')).toEqual({ authorize: 1 });
});

function settle(sandbox: Sandbox, id: string, outcome: string) {
  return call(sandbox, { path: `/payments/intents/${id}/challenge`, body: { outcome } });
}

/** The form of the page, from this origin or from `origin`. A redirect is not followed. */
function submit(
  sandbox: Sandbox,
  id: string,
  { origin = sandbox.url, ...form }: Readonly<Record<string, string>>,
): Promise<Response> {
  return fetch(`${sandbox.url}/challenge/${id}`, {
    method: 'POST',
    headers: { origin },
    body: new URLSearchParams(form),
    redirect: 'manual',
  });
}

/** Type, intent and status of an event. */
function eventIn(body: string): string {
  const { type, data }: Stripe.Event = JSON.parse(body);
  const { id, status } = Object(data.object);
  return `${type} ${id} ${status}`;
}
