/** The dependencies of the checkout activities. Tests use the same gateways with other addresses. */
import type { OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { Payment } from '../../domain/payment.ts';
import type { Refund } from '../../domain/refund.ts';
import type { Mailer } from '../../gateways/mail/mailer.ts';
import type { SmsSender } from '../../gateways/sms/sms-sender.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { WarehouseGateway } from '../../gateways/warehouse/warehouse.ts';
import type { Database } from '../../prisma/client/client.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { findPayment } from '../../prisma/payments/payments.ts';
import { findRefund } from '../../prisma/payments/refunds.ts';
import type { RefundRef } from '../../workflows/activities.ts';
import { orderNotFound, refundNotFound } from '../failures.ts';
import type { ShopProfile } from './messages/compose.ts';

export interface ActivityDependencies {
  readonly db: Database;
  readonly payments: PaymentGateway;
  readonly warehouse: WarehouseGateway;
  readonly mailer: Mailer;
  readonly shop: ShopProfile;
  /** Null: no SMS provider is configured, and no SMS is sent. */
  readonly sms: SmsSender | null;
  /** The warehouse's callback URL, e.g. `https://shop.example/callbacks/warehouse`. */
  readonly warehouseCallbackUrl: string;
  /**
   * How long a shipment waits for the cases of its payment, before a person is asked; null: it does not.
   * A day unless given.
   */
  readonly fraudHoldMs?: number | null | undefined;
}

/** The order, or a permanent failure. */
export async function requireOrder(db: Database, orderId: OrderId): Promise<Order> {
  const order = await findOrder(db, orderId);
  if (!order) throw orderNotFound(orderId);
  return order;
}

/** The order's payment, or a permanent failure. */
export async function requirePayment(db: Database, orderId: OrderId): Promise<Payment> {
  const payment = await findPayment(db, orderId);
  if (!payment) throw orderNotFound(orderId);
  return payment;
}

/** The refund, or a permanent failure. An operator's input may name the refund of another order. */
export async function requireRefund(
  db: Database,
  { refundId, orderId }: RefundRef,
): Promise<Refund> {
  const refund = await findRefund(db, refundId);
  if (refund?.orderId !== orderId) throw refundNotFound(refundId);
  return refund;
}
