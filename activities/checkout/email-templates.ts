/** The words of each notice. Pure; the only place that writes to a customer. */
import type { Notification, RefundNotification } from '../../domain/ids.ts';
import { formatMoney } from '../../domain/money.ts';
import type { CancelReason, Order, Shipment } from '../../domain/order.ts';
import type { Refund } from '../../domain/refund.ts';

export interface Email {
  readonly subject: string;
  readonly text: string;
}

/** Writes the notice. `shipment` is needed for `shipped` only. */
export function composeEmail(
  order: Order,
  notification: Exclude<Notification, RefundNotification>,
  shipment: Shipment | null,
): Email {
  const greeting = `Hello ${order.customer.name},`;
  switch (notification) {
    case 'confirmed':
      return {
        subject: `Your order ${order.id} is confirmed`,
        text: paragraphs(
          greeting,
          'thank you for your order. It is paid and on its way to the warehouse.',
          summary(order),
        ),
      };
    case 'shipped':
      return {
        subject: `Your order ${order.id} has been shipped`,
        text: paragraphs(
          greeting,
          'your order has left the warehouse.',
          tracking(shipment),
          summary(order),
        ),
      };
    case 'cancelled':
      return {
        subject: `Your order ${order.id} was cancelled`,
        text: paragraphs(
          greeting,
          REASONS[order.cancelReason ?? 'requested_by_operator'],
          NO_MONEY_KEPT,
          summary(order),
        ),
      };
  }
}

/** Writes that money is on its way back to the customer. */
export function composeRefundEmail(order: Order, refund: Refund): Email {
  const { amountMinor, currency } = refund;
  return {
    subject: `Money back for your order ${order.id}`,
    text: paragraphs(
      `Hello ${order.customer.name},`,
      `we have given back ${formatMoney({ amountMinor, currency })}. It reaches your account within some days.`,
      summary(order),
    ),
  };
}

const NO_MONEY_KEPT =
  'Nothing stays charged: a held amount is let go at once, a charged one is refunded in full.';

const REASONS: Readonly<Record<CancelReason, string>> = {
  requested_by_customer: 'your order was cancelled as you asked.',
  requested_by_operator: 'your order was cancelled by the shop.',
  warehouse_refused: 'we are sorry: the warehouse could not set your items aside.',
  payment_refused: 'we are sorry: the payment could not be completed.',
  shipping_refused: 'we are sorry: your order could not be shipped.',
  deadline_passed: 'we are sorry: your order could not be completed in time.',
  authorization_expiring: 'we are sorry: your order could not be completed in time.',
};

function summary(order: Order): string {
  const lines = order.lines.map((line) => `  ${line.quantity} x ${line.name}`);
  const total = formatMoney({ amountMinor: order.totalMinor, currency: order.currency });
  return [`Order ${order.id}`, ...lines, `Total ${total}`].join('\n');
}

function tracking(shipment: Shipment | null): string {
  if (!shipment?.trackingNumber) return 'The carrier will tell you when it arrives.';
  return `Carrier ${shipment.carrier ?? 'unknown'}, tracking number ${shipment.trackingNumber}.`;
}

function paragraphs(...parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`;
}
