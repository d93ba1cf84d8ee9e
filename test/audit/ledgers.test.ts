import { afterEach, describe, expect, test } from 'vitest';
import { acknowledgedCheck, parseAcknowledged } from '../../tools/audit/acknowledged.ts';
import { runChecks } from '../../tools/audit/check.ts';
import { ledgerChecks } from '../../tools/audit/ledgers.ts';
import { providerKey, derivedKey, type OrderId } from '../../domain/ids.ts';
import * as steps from '../../prisma/orders/record-steps.ts';
import { recordShipmentRequested } from '../../prisma/orders/request-shipment.ts';
import {
  findPayment,
  recordCaptured,
  recordIntent,
  recordVoided,
} from '../../prisma/payments/payments.ts';
import { expectExpired } from '../faults/settling.ts';
import { CHALLENGED_CARD } from '../support/client.ts';
import { TWILIO } from '../support/gateways.ts';
import { passDeadline } from '../support/orders.ts';
import { useShop, type Shop } from '../support/shop.ts';

/** Our records and the sandbox's ledgers, over HTTP as `npm run audit` reads them. */
const shop = useShop();
/** Deletes all orders and effects. */
afterEach(async () => {
  shop.sandbox.ledgers.payments.clear();
  shop.sandbox.ledgers.warehouse.clear();
  await shop.db.$transaction([
    // The log is append-only otherwise.
    shop.db.$executeRaw`SET LOCAL session_replication_role = replica`,
    shop.db.$executeRaw`TRUNCATE orders CASCADE`,
  ]);
});

const NONE = { payment_ledger_agrees: [], warehouse_ledger_agrees: [], sms_sent_once: [] };

test('orders whose records match the provider ledgers produce no findings', async () => {
  await reserve(await placed());
  await ship(await placed());
  await cancel(await placed());
  expect(await findings()).toEqual(NONE);
});

test('a text message that was sent to a customer twice is reported by its id alone', async () => {
  const form = new URLSearchParams({ To: '+491701234567', From: TWILIO.from, Body: 'Shipped.' });
  for (const _ of [1, 2]) shop.sandbox.texts.create(TWILIO.accountSid, form, false);
  form.set('Body', 'Shipped, too.');
  shop.sandbox.texts.create(TWILIO.accountSid, form, false);
  const [first, second] = shop.sandbox.texts.sent().map(({ sid }) => sid);
  const sms_sent_once = [{ subject: second, detail: `the same as ${first}` }];
  expect(await findings()).toEqual({ ...NONE, sms_sent_once });
  shop.sandbox.texts.clear();
});

describe('the payment provider', () => {
  test('a payment that can still be confirmed is reported once its order has ended', async () => {
    await shop.place({ payment_method: CHALLENGED_CARD });
    const { id: subject } = await shop.db.order.findFirstOrThrow({ where: { status: 'pending' } });
    expect(await findings()).toEqual(NONE);
    await shop.db.order.update({ where: { id: subject }, data: { status: 'expired' } });
    const detail = 'expired, and its payment can still be confirmed';
    expect(await findings()).toEqual({ ...NONE, payment_ledger_agrees: [{ subject, detail }] });
    await shop.db.order.update({ where: { id: subject }, data: { status: 'pending' } });
    await passDeadline(shop.db, subject);
    await expectExpired(shop, subject, {});
    expect(await findings()).toEqual(NONE);
  });

  test('a charge that was never requested is reported', async () => {
    const { orderId } = await shop.order();
    const key = `${orderId}/manual`;
    recordAt('payments', { key, operation: 'capture', order_id: orderId });
    const detail = 'capture that was never requested';
    expect(await findings()).toEqual({
      ...NONE,
      payment_ledger_agrees: [{ subject: key, detail }],
    });
  });

  test('a recorded authorization that is missing at the provider is reported', async () => {
    const { orderId } = await shop.order();
    shop.sandbox.ledgers.payments.clear();
    const subject = providerKey(orderId, 'authorize');
    const detail = 'authorize in our records, not at the provider';
    expect(await findings()).toEqual({ ...NONE, payment_ledger_agrees: [{ subject, detail }] });
  });

  test('a different amount and a repeated effect at the payment provider are reported', async () => {
    const { orderId } = await shop.order();
    const [charged] = shop.sandbox.ledgers.payments.effects();
    if (!charged) throw new Error('nothing was authorized');
    shop.sandbox.ledgers.payments.record({ ...charged, amount_minor: 1 });
    const subject = providerKey(orderId, 'authorize');
    expect((await findings()).payment_ledger_agrees).toEqual([
      { subject: `${subject} authorize`, detail: 'happened 2 times' },
      { subject, detail: 'authorize of 2400 EUR in our records, authorize of 1 EUR there' },
    ]);
  });

  test.each(['ISK', 'UGX', 'MGA', 'HUF', 'KWD'])(
    'an order in %s that the provider counts in its own way has no finding',
    async (currency) => {
      const sku = `in-${currency}`;
      await shop.stock(sku, 1, { price_minor: 40_000, currency });
      const line = { sku, quantity: 1 };
      expect((await shop.place({ lines: [line], currency })).status).toBe(201);
      expect(shop.sandbox.ledgers.payments.effects()).toMatchObject([{ operation: 'authorize' }]);
      expect(await findings()).toEqual(NONE);
    },
  );

  test('refunds under different keys that exceed the capture are reported', async () => {
    const orderId = await placed();
    await ship(orderId);
    const { amountMinor: amount_minor, currency } = await paymentOf(orderId);
    for (const key of ['a', 'b']) {
      const refund = { key: `${orderId}/${key}`, operation: 'refund', order_id: orderId };
      recordAt('payments', { ...refund, amount_minor, currency });
    }
    const detail = `refunded ${amount_minor} more than captured`;
    expect((await findings()).payment_ledger_agrees).toContainEqual({ subject: orderId, detail });
  });

  test('an effect under a derived key is its intent’s, and a second one under another key is reported', async () => {
    const orderId = await placed();
    const { amountMinor: amount_minor, currency } = await paymentOf(orderId);
    await recordIntent(shop.db, await paymentOf(orderId), 'capture');
    const subject = providerKey(orderId, 'capture');
    const effect = { operation: 'capture', order_id: orderId, amount_minor, currency };
    recordAt('payments', { ...effect, key: derivedKey(subject, 2) });
    expect(await findings()).toEqual(NONE);
    recordAt('payments', { ...effect, key: derivedKey(subject, 3) });
    expect((await findings()).payment_ledger_agrees).toEqual([
      { subject: `${subject} capture`, detail: 'happened 2 times' },
    ]);
  });

  test('an effect whose response was lost is not reported while the order is in progress', async () => {
    const orderId = await placed();
    await recordIntent(shop.db, await paymentOf(orderId), 'void');
    const key = providerKey(orderId, 'void');
    recordAt('payments', { key, operation: 'void', order_id: orderId });
    expect(await findings()).toEqual(NONE);
  });

  test('an effect whose response was lost is reported once the order ended without it', async () => {
    const orderId = await placed();
    await ship(orderId);
    await recordIntent(shop.db, await paymentOf(orderId), 'void');
    const subject = providerKey(orderId, 'void');
    recordAt('payments', { key: subject, operation: 'void', order_id: orderId });
    const detail = 'void at the provider, not in our records of a shipped order';
    expect(await findings()).toEqual({ ...NONE, payment_ledger_agrees: [{ subject, detail }] });
  });
});

describe('the warehouse', () => {
  test('a shipped order without a parcel at the warehouse is reported', async () => {
    const subject = await placed();
    await ship(subject, { asked: false });
    const detail = 'shipped, and the warehouse shipped nothing';
    expect(await findings()).toEqual({ ...NONE, warehouse_ledger_agrees: [{ subject, detail }] });
  });

  test('a shipped order that the warehouse never reserved is reported', async () => {
    const subject = await placed();
    await ship(subject, { reserved: false });
    const detail = 'shipped, and the warehouse never reserved its goods';
    expect(await findings()).toEqual({ ...NONE, warehouse_ledger_agrees: [{ subject, detail }] });
  });

  test('a cancelled order whose goods the warehouse still has reserved is reported', async () => {
    const subject = await placed();
    await cancel(subject, { released: false });
    const detail = 'cancelled, and the warehouse still has its goods reserved';
    expect(await findings()).toEqual({ ...NONE, warehouse_ledger_agrees: [{ subject, detail }] });
  });

  test('a second parcel and goods of an unknown order are reported', async () => {
    const orderId = await placed();
    await ship(orderId);
    recordAt('warehouse', { key: 'again', operation: 'ship', order_id: orderId });
    recordAt('warehouse', { key: 'lost', operation: 'reserve', order_id: 'ord_lost' });
    expect((await findings()).warehouse_ledger_agrees).toEqual([
      { subject: `${orderId} ship`, detail: 'happened 2 times' },
      { subject: 'ord_lost', detail: 'goods of an order that does not exist' },
    ]);
  });
});

test('an unavailable sandbox leaves the ledger checks unchecked', async () => {
  const checks = ledgerChecks({ db: shop.db, sandboxUrl: 'http://127.0.0.1:9' });
  for (const result of await runChecks(checks)) {
    expect(result).toMatchObject({ violations: 0, unchecked: 'fetch failed' });
  }
});

test('a check that hangs is reported as unchecked at its deadline', async () => {
  const check = {
    name: 'hangs',
    title: 'Never ends',
    run: () => new Promise<never>(() => undefined),
  };
  const [result] = await runChecks([check], { timeoutMs: 10 });
  expect(result?.unchecked).toBe('no result within 10 ms');
});

describe('the acknowledged orders', () => {
  test('acknowledged orders that are missing or only pending are reported', async () => {
    const { orderId } = await shop.order();
    const pending = await shop.order();
    await shop.db.order.update({
      where: { id: pending.orderId },
      data: { status: 'pending', placedAt: null },
    });
    const listed = parseAcknowledged(`# got\n${orderId}\n\n${orderId}\r\n`);
    expect(listed).toEqual([orderId, orderId]);
    const { db } = shop;
    expect(await runChecks([acknowledgedCheck(db, listed)])).toMatchObject([{ violations: 0 }]);
    const lost = acknowledgedCheck(db, [...listed, 'ord_lost', pending.orderId]);
    expect(await runChecks([lost])).toMatchObject([
      {
        violations: 2,
        examples: [
          { subject: 'ord_lost', detail: 'acknowledged, but not in the database' },
          { subject: pending.orderId, detail: 'acknowledged, but only pending' },
        ],
      },
    ]);
  });
});

async function findings() {
  const checks = ledgerChecks({ db: shop.db, sandboxUrl: shop.sandbox.url });
  const results = await runChecks(checks);
  for (const { unchecked } of results) expect(unchecked).toBeNull();
  return Object.fromEntries(results.map(({ name, examples }) => [name, examples]));
}

async function placed(): Promise<OrderId> {
  return (await shop.order()).orderId;
}

/** Reserves at the warehouse and in our records. */
async function reserve(orderId: OrderId, { asked = true } = {}): Promise<void> {
  const key = `${orderId}/r`;
  if (asked) recordAt('warehouse', { key, operation: 'reserve', order_id: orderId });
  await steps.recordReserved(shop.db, orderId);
}

async function ship(orderId: OrderId, { asked = true, reserved = true } = {}): Promise<void> {
  await reserve(orderId, { asked: reserved });
  const payment = await paymentOf(orderId);
  const { amountMinor: amount_minor, currency } = payment;
  const key = providerKey(orderId, 'capture');
  recordAt('payments', { key, operation: 'capture', order_id: orderId, amount_minor, currency });
  await recordCaptured(shop.db, payment);
  if (asked) recordAt('warehouse', { key: `${orderId}/s`, operation: 'ship', order_id: orderId });
  await recordShipmentRequested(shop.db, orderId);
  await steps.recordShipped(shop.db, orderId, { carrier: 'c', trackingNumber: 't' });
}

async function cancel(orderId: OrderId, { released = true } = {}): Promise<void> {
  await reserve(orderId);
  const reason = 'requested_by_customer';
  await steps.recordCancelling(shop.db, orderId, { reason, request: null });
  const payment = await paymentOf(orderId);
  const { amountMinor: amount_minor, currency } = payment;
  const key = providerKey(orderId, 'void');
  recordAt('payments', { key, operation: 'void', order_id: orderId, amount_minor, currency });
  await recordVoided(shop.db, payment);
  if (released) {
    recordAt('warehouse', { key: `${orderId}/f`, operation: 'release', order_id: orderId });
  }
  await steps.recordStockReleased(shop.db, orderId);
  await steps.recordCancelled(shop.db, orderId, reason);
}

type Effect = Parameters<Shop['sandbox']['ledgers']['payments']['record']>[0];

/** Puts an effect into the provider's ledger. */
function recordAt(provider: 'payments' | 'warehouse', effect: Effect): void {
  shop.sandbox.ledgers[provider].record(effect);
}

async function paymentOf(orderId: OrderId) {
  const payment = await findPayment(shop.db, orderId);
  if (!payment) throw new Error(`no payment of ${orderId}`);
  return payment;
}
