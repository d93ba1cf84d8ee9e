import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CURRENCIES, decimalsOf } from '../../domain/iso-4217.ts';
import { CHARGEABLE, stripeMaximum, stripeMinimum } from '../../gateways/stripe/currencies.ts';
import { fromStripeAmount, limitsOf, toStripeAmount } from '../../gateways/stripe/money.ts';
import { authorize, stripeOf } from '../sandbox/shop.ts';
import { newOrderId } from './provider.ts';
import { gatewayTo, useSandbox } from './stripe-sandbox.ts';

const sandbox = useSandbox();

describe('amounts at Stripe', () => {
  test.each([
    ['EUR', 2_500, 2_500],
    ['JPY', 2_500, 2_500],
    ['HUF', 250_000, 250_000],
    ['TWD', 250_000, 250_000],
    ['ISK', 2_500, 250_000],
    ['UGX', 2_500, 250_000],
    ['MGA', 250_000, 2_500],
    ['KWD', 2_500, 2_500],
    ['XAF', 2_500, 2_500],
    ['IDR', 2_500, 2_500],
    ['COP', 2_147_483_647, 2_147_483_647],
    ['TND', 10, 10],
    ['UGX', 1, 100],
  ])('%s %i is %i for Stripe and back', (currency, amountMinor, amount) => {
    expect(toStripeAmount({ amountMinor, currency })).toBe(amount);
    expect(fromStripeAmount(amount, currency.toLowerCase())).toBe(amountMinor);
  });

  test.each([
    ['EUR', { minMinor: 50, maxMinor: 99_999_999, stepMinor: 1 }],
    ['HUF', { minMinor: 17_500, maxMinor: 2_147_483_647, stepMinor: 1 }],
    ['ISK', { minMinor: 1, maxMinor: 999_999, stepMinor: 1 }],
    ['MGA', { minMinor: 100, maxMinor: 2_147_483_600, stepMinor: 100 }],
    ['JOD', { minMinor: 10, maxMinor: 99_999_990, stepMinor: 10 }],
    ['UGX', { minMinor: 1, maxMinor: 999_999, stepMinor: 1 }],
    ['TWD', { minMinor: 1, maxMinor: 99_999_999, stepMinor: 1 }],
    ['JPY', { minMinor: 50, maxMinor: 2_147_483_647, stepMinor: 1 }],
    ['KWD', { minMinor: 10, maxMinor: 99_999_990, stepMinor: 10 }],
    ['INR', { minMinor: 50, maxMinor: 999_999_999, stepMinor: 1 }],
    ['CUP', null],
    ['XAU', null],
    ['EURO', null],
    ['eur', null],
  ])('the limits of %s are %j', (currency, limits) => expect(limitsOf(currency)).toEqual(limits));

  test('every amount within the limits of its currency reaches Stripe exactly and within its limits', () => {
    const currency = fc.constantFrom(...CHARGEABLE);
    fc.assert(
      fc.property(currency, fc.double({ min: 0, max: 1, noNaN: true }), (code, share) => {
        const limits = limitsOf(code);
        if (limits === null) throw new Error(`${code} cannot be charged`);
        const { minMinor, maxMinor, stepMinor } = limits;
        const steps = Math.floor((share * (maxMinor - minMinor)) / stepMinor);
        const amountMinor = minMinor + steps * stepMinor;
        const amount = toStripeAmount({ amountMinor, currency: code });
        expect(amount).toBeGreaterThanOrEqual(stripeMinimum(code));
        expect(amount).toBeLessThanOrEqual(stripeMaximum(code));
        expect(fromStripeAmount(amount, code)).toBe(amountMinor);
      }),
    );
  });

  test('what can be charged is a currency of ISO 4217', () => {
    for (const code of CHARGEABLE) expect(decimalsOf(code), code).toBeDefined();
  });

  test.each([
    ['MGA', 2_550],
    ['KWD', 2_505],
    ['TND', 1],
  ])('an amount in %s between two steps, such as %i, is not sent', (currency, amountMinor) => {
    expect(() => toStripeAmount({ amountMinor, currency })).toThrow(RangeError);
  });
});

test.each([
  ['EUR', 1_001, 1_001],
  ['JPY', 1_001, 1_001],
  ['KWD', 1_010, 1_010],
  ['ISK', 1_001, 100_100],
  ['UGX', 1_001, 100_100],
  ['MGA', 100_100, 1_001],
  ['HUF', 1_001, 1_001],
  ['TWD', 1_001, 1_001],
])(
  'a part of %s %i of a charge is captured and refunded as %i of the provider',
  async (currency, partMinor, sent) => {
    const amountMinor = 20 * partMinor;
    const gateway = gatewayTo(sandbox);
    const orderId = newOrderId();
    const request = { orderId, paymentMethod: 'pm_card_visa' };
    const authorized = await gateway.authorize({
      ...request,
      key: `${orderId}/authorize`,
      amount: { amountMinor, currency },
    });
    const reference = authorized.kind === 'authorized' ? authorized.reference : null;
    if (reference === null) throw new Error(`not authorized: ${authorized.kind}`);
    const amount = { amountMinor: partMinor, currency };
    await gateway.capture({ orderId, key: `${orderId}/capture`, reference, amount });
    await gateway.refund({ orderId, key: `${orderId}/refund`, reference, amount });
    const effects = sandbox.ledgers.payments.effectsOf(orderId);
    expect(effects.map(({ operation, amount_minor: minor }) => [operation, minor])).toEqual([
      ['authorize', toStripeAmount({ amountMinor, currency })],
      ['capture', sent],
      ['refund', sent],
    ]);
    const found = await gateway.lookUp({ orderId, reference });
    expect(found).toMatchObject({ payment: { capturedMinor: partMinor, currency } });
  },
);

test.each([
  ['KWD', 2_500, 1_005],
  ['ISK', 250_000, 100_050],
])(
  'the provider refuses to capture or refund %s %i in part, as %i',
  async (currency, amount, part) => {
    const orderId = newOrderId();
    const stripe = stripeOf(sandbox);
    const { id } = await authorize(stripe, { orderId, currency, amountMinor: amount });
    await expect(
      stripe.paymentIntents.capture(id, { amount_to_capture: part }),
    ).rejects.toMatchObject({
      param: 'amount_to_capture',
    });
    await stripe.paymentIntents.capture(id);
    await expect(stripe.refunds.create({ payment_intent: id, amount: part })).rejects.toMatchObject(
      {
        param: 'amount',
      },
    );
  },
);

test('the limits of every currency are accepted by the provider, and what is beyond them is not', async () => {
  const gateway = gatewayTo(sandbox);
  const charge = async (amountMinor: number, currency: string) => {
    const orderId = newOrderId();
    const amount = { amountMinor, currency };
    const request = { key: `${orderId}/authorize`, orderId, amount, paymentMethod: 'pm_card_visa' };
    const { kind } = await gateway.authorize(request);
    return kind;
  };
  for (const currency of CURRENCIES) {
    const limits = limitsOf(currency);
    if (limits === null) {
      expect(await charge(10_000, currency), currency).toBe('refused');
      continue;
    }
    const { minMinor, maxMinor, stepMinor } = limits;
    expect(await charge(minMinor, currency), currency).toBe('authorized');
    expect(await charge(maxMinor, currency), currency).toBe('authorized');
    if (minMinor > stepMinor) {
      expect(await charge(minMinor - stepMinor, currency), currency).toBe('declined');
    }
  }
});
