/** The text of each e-mail to a customer. Pure; no other module writes to customers. */
import type { Notification, RefundNotification } from '../../domain/ids.ts';
import { formatMoney } from '../../domain/money.ts';
import { orderNumber } from '../../domain/order-number.ts';
import type { CancelReason, Order, Shipment } from '../../domain/order.ts';
import type { Refund } from '../../domain/refund.ts';
import { toLine } from '../../domain/text.ts';

export interface Email {
  readonly subject: string;
  readonly text: string;
}

/** Composes an e-mail about the order. Only `shipped` needs the shipment. */
export function composeEmail(
  order: Order,
  notification: Exclude<Notification, RefundNotification>,
  shipment: Shipment | null,
): Email {
  const greeting = `Hello ${order.customer.name},`;
  const number = orderNumber(order.id);
  switch (notification) {
    case 'confirmed':
      return {
        subject: `Your order ${number} is confirmed`,
        text: paragraphs(
          greeting,
          'Thank you for your order. Your payment was received and we are preparing your items.',
          summary(order),
        ),
      };
    case 'shipped':
      return {
        subject: `Your order ${number} has been shipped`,
        text: paragraphs(greeting, 'Your order is on its way.', tracking(shipment), summary(order)),
      };
    case 'cancelled':
      return {
        subject: `Your order ${number} was cancelled`,
        text: paragraphs(
          greeting,
          REASONS[order.cancelReason ?? 'requested_by_operator'],
          NO_CHARGE,
          summary(order),
        ),
      };
  }
}

/** Composes the e-mail about a refund. */
export function composeRefundEmail(order: Order, refund: Refund): Email {
  const { amountMinor, currency } = refund;
  return {
    subject: `Refund for your order ${orderNumber(order.id)}`,
    text: paragraphs(
      `Hello ${order.customer.name},`,
      `We have refunded ${formatMoney({ amountMinor, currency })}. It should reach your account within a few days.`,
      summary(order),
    ),
  };
}

const NO_CHARGE =
  'You have not been charged: we release a reserved amount and refund a charged one in full.';

const REASONS: Readonly<Record<CancelReason, string>> = {
  requested_by_customer: 'Your order was cancelled as you requested.',
  requested_by_operator: 'Your order was cancelled by our team.',
  warehouse_refused: 'We are sorry, but your items are no longer available.',
  payment_refused: 'We are sorry, but your payment could not be completed.',
  shipping_refused: 'We are sorry, but your order could not be shipped.',
  deadline_passed: 'We are sorry, but your order could not be completed in time.',
  authorization_expiring: 'We are sorry, but your order could not be completed in time.',
};

function summary(order: Order): string {
  const lines = order.lines.map((line) => `  ${line.quantity} x ${line.name}`);
  const total = formatMoney({ amountMinor: order.totalMinor, currency: order.currency });
  return [`Order: ${orderNumber(order.id)}`, ...lines, `Total: ${total}`].join('\n');
}

/** The warehouse's own words. They were lines when they came; a mail is the last to check it. */
function tracking(shipment: Shipment | null): string {
  const { carrier, trackingNumber } = shipment ?? {};
  if (!trackingNumber) return 'The carrier will contact you about the delivery.';
  const [by, number] = [carrier ?? 'unknown', trackingNumber].map((text) => toLine(text, MAX_LINE));
  return `Carrier: ${by}\nTracking number: ${number}`;
}

/** Of the warehouse contract. */
const MAX_LINE = 200;

function paragraphs(...parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`;
}
