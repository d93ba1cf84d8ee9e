import { beforeEach, describe, expect, test } from 'vitest';
import { processPaymentWebhooks } from '../../services/payment-webhooks/process.ts';
import { runRecovery } from '../../services/recovery.ts';
import type { OrderId } from '../../domain/ids.ts';
import {
  findPayment,
  recordCaptured,
  recordCaptureRefused,
  recordIntent,
} from '../../prisma/payments/payments.ts';
import { orderOf } from '../support/responses.ts';
import { useShop, paymentEffects } from '../support/shop.ts';
import { sendPaymentWebhook, webhookPayload, passWebhooks } from '../support/provider-messages.ts';
import { placedOrder } from '../support/orders.ts';

const shop = useShop();
let orderId: OrderId;
let reference: string;
let sent = 0;
beforeEach(async () => {
  await shop.db.inboxMessage.deleteMany({});
  shop.logged.length = 0;
  orderId = await placedOrder(shop);
  reference = (await payment()).providerReference ?? '';
});

async function payment() {
  const found = await findPayment(shop.db, orderId);
  if (!found) throw new Error('no payment');
  return found;
}

/** Sends a webhook about the intent of the order, and returns its outcome. */
async function notification(type: string, about: object = {}): Promise<string | null> {
  const id = `evt_${(sent += 1)}`;
  const object = {
    object: 'payment_intent',
    id: reference,
    metadata: { order_id: orderId },
    ...about,
  };
  const response = await sendPaymentWebhook(shop, webhookPayload(id, type, object));
  expect(response.status).toBe(200);
  await pass();
  return outcomeOf(id);
}

async function outcomeOf(id = `evt_${sent}`): Promise<string | null> {
  const message = await shop.db.inboxMessage.findFirstOrThrow({ where: { id } });
  expect(message.processedAt === null).toBe(message.outcome === null);
  return message.outcome;
}

const pass = () => passWebhooks(shop);
const classifyFinally = () => passWebhooks(shop, { finalAfterMs: 0 });

describe('a payment webhook', () => {
  test('a payment webhook that matches our records is confirmed by the next pass', async () => {
    expect(await notification('payment_intent.amount_capturable_updated')).toBe('confirmed');
    await recordIntent(shop.db, await payment(), 'capture');
    await recordCaptured(shop.db, await payment());
    expect(await notification('payment_intent.succeeded')).toBe('confirmed');
  });

  test('a payment webhook is matched by its payment reference alone or by its order id alone', async () => {
    const type = 'payment_intent.amount_capturable_updated';
    expect(await notification(type, { metadata: {} })).toBe('confirmed');
    const charge = { object: 'charge', id: 'ch_1', payment_intent: null };
    expect(await notification(type, charge)).toBe('confirmed');
  });

  test("a payment webhook that precedes the provider's response stays open until the response is recorded", async () => {
    await recordIntent(shop.db, await payment(), 'capture');
    expect(await notification('payment_intent.succeeded')).toBeNull();
    await runRecovery(shop.services, { olderThanMs: 0, expiryGraceMs: 0, batch: 100 });
    expect(await outcomeOf()).toBeNull();
    await recordCaptured(shop.db, await payment());
    await pass();
    expect(await outcomeOf()).toBe('confirmed');
  });

  test('a payment webhook for a requested capture without a response is closed as requested, without a warning', async () => {
    await recordIntent(shop.db, await payment(), 'capture');
    await notification('payment_intent.succeeded');
    expect(await classifyFinally()).toBe(1);
    expect(await outcomeOf()).toBe('requested');
    expect(shop.logged.join()).not.toContain('was not requested');
  });

  test.each([
    ['an expired authorization', 'payment_intent.canceled', {}],
    ['an unrequested capture', 'payment_intent.succeeded', {}],
    ['a manual refund', 'charge.refunded', { object: 'charge', payment_intent: null }],
    ['a second intent of the order', 'payment_intent.amount_capturable_updated', { id: 'pi_2' }],
    ['a decline of an authorized payment', 'payment_intent.payment_failed', {}],
  ])('a webhook about %s is logged as unexpected and moves no money', async (_, type, about) => {
    const [before, ordered] = [paymentEffects(shop, orderId), await payment()];
    expect(await notification(type, about)).toBeNull();
    await classifyFinally();
    expect(await outcomeOf()).toBe('unexpected');
    expect(shop.logged.join()).toContain('was not requested');
    expect(paymentEffects(shop, orderId)).toEqual(before);
    expect(await payment()).toEqual(ordered);
  });

  test('a payment webhook whose intent names another order is closed as unexpected', async () => {
    const other = await orderOf(await shop.place());
    await notification('payment_intent.amount_capturable_updated', {
      metadata: { order_id: other.id },
    });
    await classifyFinally();
    expect(await outcomeOf()).toBe('unexpected');
  });

  test('a payment webhook about an unknown payment or of an unhandled type is stored and closed', async () => {
    expect(await notification('payment_intent.succeeded', { id: 'pi_else', metadata: {} })).toBe(
      'unknown_payment',
    );
    expect(await notification('customer.created', { object: 'customer', id: 'cus_1' })).toBe(
      'ignored',
    );
  });

  test('an unprocessed payment webhook is processed by the next pass', async () => {
    const payload = { reference };
    await shop.db.inboxMessage.create({
      data: {
        source: 'payments',
        id: 'evt_left',
        type: 'payment_intent.amount_capturable_updated',
        orderId,
        payload,
      },
    });
    await pass();
    expect(await outcomeOf('evt_left')).toBe('confirmed');
  });

  test('a webhook that was tried is left out of the passes for a fifth of the time it was tried for', async () => {
    const secondsAgo = (seconds: number) => new Date(Date.now() - seconds * 1_000);
    const type = 'payment_intent.amount_capturable_updated';
    const message = { id: 'evt_spaced', type, orderId, payload: { reference } };
    const times = { receivedAt: secondsAgo(1_000), triedAt: secondsAgo(100) };
    await shop.db.inboxMessage.create({ data: { source: 'payments', ...message, ...times } });
    const dueOnly = () => processPaymentWebhooks(shop.services, { olderThanMs: 0, limit: 100 });
    await dueOnly();
    expect(await outcomeOf('evt_spaced')).toBeNull();
    await shop.db.inboxMessage.updateMany({ data: { triedAt: secondsAgo(300) } });
    await dueOnly();
    expect(await outcomeOf('evt_spaced')).toBe('confirmed');
  });

  test('one pass closes many payment webhooks, each by its own payment, and one that fails hides no other', async () => {
    const type = 'payment_intent.amount_capturable_updated';
    const others = await Promise.all(Array.from({ length: 5 }, () => placedOrder(shop)));
    const unclear = { object: 'payment_intent', id: 7 };
    await sendPaymentWebhook(shop, webhookPayload('evt_odd', 'payment_intent.succeeded', unclear));
    for (const id of [...others, orderId]) {
      const metadata = { order_id: id };
      const object = { object: 'charge', id: 'ch_1', payment_intent: null, metadata };
      await sendPaymentWebhook(shop, webhookPayload(`evt_of_${id}`, type, object));
    }
    await shop.db.$executeRawUnsafe(`
      CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.outcome IS NOT NULL AND NEW.order_id = '${orderId}' THEN RAISE 'refused'; END IF;
        RETURN NEW; END $$`);
    await shop.db.$executeRawUnsafe(
      'CREATE TRIGGER refuse_one BEFORE UPDATE ON inbox FOR EACH ROW EXECUTE FUNCTION refuse_one()',
    );
    try {
      await pass();
    } finally {
      await shop.db.$executeRawUnsafe('DROP TRIGGER refuse_one ON inbox');
    }
    expect(await Promise.all(others.map((id) => outcomeOf(`evt_of_${id}`)))).toEqual(
      others.map(() => 'confirmed'),
    );
    expect(await outcomeOf(`evt_of_${orderId}`)).toBeNull();
    expect(await outcomeOf('evt_odd')).toBe('not_understood');
    expect(shop.logged.filter((line) => line.includes('evt_odd'))).toHaveLength(1);
    await pass();
    expect(await outcomeOf(`evt_of_${orderId}`)).toBe('confirmed');
  });

  test('a payment webhook about a capture that our records show as refused is closed as unexpected', async () => {
    await recordIntent(shop.db, await payment(), 'capture');
    await recordCaptureRefused(shop.db, await payment(), 'expired');
    await notification('payment_intent.succeeded');
    await classifyFinally();
    expect(await outcomeOf()).toBe('unexpected');
  });
});
