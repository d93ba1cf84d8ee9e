/** Orders in the state that a test starts from, without a workflow. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { storedKey } from '../../api/http/idempotency-key.ts';
import { isOrderId, providerKey, type OrderId } from '../../domain/ids.ts';
import type { Database } from '../../prisma/client/client.ts';
import { idBegunAt, newId } from '../../prisma/client/ids.ts';
import { recordReserved, recordShipped } from '../../prisma/orders/record-steps.ts';
import { recordShipmentRequested } from '../../prisma/orders/request-shipment.ts';
import { findPayment, recordCaptured, recordIntent } from '../../prisma/payments/payments.ts';
import { placeOrder, type Api, type PlaceOptions } from './client.ts';
import { eventually } from './eventually.ts';
import { orderOf } from './responses.ts';
import type { Gateways } from './gateways.ts';

interface Shop {
  readonly api: Api;
  readonly db: Database;
  readonly gateways: Gateways;
}

/** Places an order; sends it again under its key while the machine is too busy to take it. */
export async function placedOrder(
  { api }: Pick<Shop, 'api'>,
  changes: object = {},
  options: PlaceOptions = {},
): Promise<OrderId> {
  const key = options.key ?? randomUUID();
  const { id } = await eventually(async () => {
    const response = await placeOrder(api, changes, { ...options, key });
    expect(response.status, await response.clone().text()).toBe(201);
    return orderOf(response);
  });
  if (!isOrderId(id)) throw new Error(`no order id: ${id}`);
  return id;
}

/** The same with money taken, at the provider and in our records: two white mugs, 24 EUR. */
export async function paidOrder(
  shop: Shop,
  changes: object = {},
  options: PlaceOptions = {},
): Promise<OrderId> {
  const lines = [{ sku: 'mug-white', quantity: 2 }];
  const id = await placedOrder(shop, { lines, ...changes }, options);
  await recordReserved(shop.db, id);
  const payment = await findPayment(shop.db, id);
  if (!payment?.providerReference) throw new Error('a placed order is authorized');
  await recordIntent(shop.db, payment, 'capture');
  const captured = await shop.gateways.payments.capture({
    key: providerKey(id, 'capture'),
    orderId: id,
    reference: payment.providerReference,
    amount: { amountMinor: payment.amountMinor, currency: payment.currency },
  });
  if (captured.kind !== 'done') throw new Error(`not captured: ${captured.kind}`);
  await recordCaptured(shop.db, payment);
  return id;
}

/** Units of the white mug that are held for orders. */
export async function heldMugs(db: Database): Promise<number> {
  return (await db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } })).held;
}

/** Moves the order past its deadline. */
export async function passDeadline(db: Database, id: string): Promise<void> {
  const past = new Date(Date.now() - 3_600_000);
  await db.order.update({ where: { id }, data: { createdAt: past, deadlineAt: past } });
}

/** Expires the lease on the key, as if its client had waited. */
export async function passLease(db: Database, key: string): Promise<void> {
  await db.idempotencyKey.updateMany({
    where: { key: storedKey(key) },
    data: { leaseUntil: new Date(0) },
  });
}

export async function shippedOrder(
  shop: Shop,
  changes: object = {},
  options: PlaceOptions = {},
): Promise<OrderId> {
  const id = await paidOrder(shop, changes, options);
  await recordShipmentRequested(shop.db, id);
  await recordShipped(shop.db, id, { carrier: 'Test Parcel', trackingNumber: 'TP-1' });
  return id;
}

/** An order that was placed at that time, with its lines and nothing else. */
export async function orderPlacedAt(
  db: Database,
  at: string,
  lines: readonly { readonly sku: string; readonly quantity: number }[],
): Promise<OrderId> {
  const id = idBegunAt('order', Date.parse(at), randomUUID());
  const prices = await db.product.findMany({
    where: { sku: { in: lines.map(({ sku }) => sku) } },
  });
  await db.order.create({
    data: {
      id,
      status: 'placed',
      currency: 'EUR',
      totalMinor: 1,
      customer: {
        create: { id: newId('customer'), name: 'Ada', email: `${randomUUID()}@example.com` },
      },
      customerEmail: 'ada@example.com',
      customerName: 'Ada',
      shippingAddress: { line1: 'Street 1', city: 'Berlin', country: 'DE' },
      correlationId: 'test',
      deadlineAt: at,
      placedAt: at,
      createdAt: at,
      lines: {
        create: lines.map(({ sku, quantity }, position) => ({
          sku,
          quantity,
          position,
          name: sku,
          unitPriceMinor: prices.find((each) => each.sku === sku)?.priceMinor ?? 0,
        })),
      },
    },
  });
  return id;
}
