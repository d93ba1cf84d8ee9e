/** Orders on which money was taken, at the provider and in our books, without a workflow. */
import { isOrderId, providerKey, type OrderId } from '../../domain/ids.ts';
import { recordReserved, recordShipped } from '../../prisma/fulfilment.ts';
import { findPayment, recordCaptured, recordIntent } from '../../prisma/payments.ts';
import { placeOrder, type PlaceOptions } from '../support/client.ts';
import { orderOf } from '../support/responses.ts';
import type { Shop } from '../support/shop.ts';

export async function placedOrder(
  shop: Shop,
  changes: object = {},
  options: PlaceOptions = {},
): Promise<OrderId> {
  const { id } = await orderOf(await placeOrder(shop.api, changes, options));
  if (!isOrderId(id)) throw new Error('an order has an id');
  return id;
}

/** Two white mugs, 24 EUR, captured. */
export async function paidOrder(shop: Shop): Promise<OrderId> {
  const id = await placedOrder(shop, { lines: [{ sku: 'mug-white', quantity: 2 }] });
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

export async function shippedOrder(shop: Shop): Promise<OrderId> {
  const id = await paidOrder(shop);
  await recordShipped(shop.db, id, { carrier: 'Test Parcel', trackingNumber: 'TP-1' });
  return id;
}
