/** English. */
import type { Messages } from './messages.ts';

export const en: Messages = {
  greeting: 'Hello {name},',
  confirmed: {
    subject: 'Your {shop} order {number} is confirmed',
    heading: 'Your order is confirmed',
    text: 'Thank you for your order. Your payment was received and we are preparing your items.',
  },
  partial: {
    text: 'Thank you for your order. A part of it is not available: we send you what there is, and you pay only for that.',
    sent: 'We send',
    unavailable: 'Not available',
    creditBack: '{amount} of your store credit is given back.',
    released: '{amount} of the amount that is reserved on your card is released, and not charged.',
  },
  shipped: {
    subject: 'Your {shop} order {number} has been shipped',
    heading: 'Your order has been shipped',
    text: 'Your order is on its way.',
  },
  cancelled: {
    subject: 'Your {shop} order {number} was cancelled',
    heading: 'Your order was cancelled',
    reasons: {
      requested_by_customer: 'Your order was cancelled as you requested.',
      requested_by_operator: 'Your order was cancelled by our team.',
      warehouse_refused: 'We are sorry, but your items are no longer available.',
      payment_refused: 'We are sorry, but your payment could not be completed.',
      shipping_refused: 'We are sorry, but your order could not be shipped.',
      deadline_passed: 'We are sorry, but your order could not be completed in time.',
      authorization_expiring: 'We are sorry, but your order could not be completed in time.',
    },
    noCharge: 'You pay nothing: we release a reserved amount and refund a charged one in full.',
    creditBack: 'The store credit that you used is given back.',
  },
  expired: {
    subject: 'Your {shop} order {number} was not completed',
    heading: 'Your order was not completed',
    text: 'Your payment was not confirmed in time, so we could not accept your order. You pay nothing. If you still want the items, please order again.',
  },
  refunded: {
    subject: 'Refund for your {shop} order {number}',
    heading: 'Your refund',
    whole: 'We have refunded your order in full: {amount}.',
    part: 'We have refunded a part of your order: {amount}.',
    toCard:
      '{amount} goes back to the means of payment that you used. It should reach your account within a few days.',
    toCredit: '{amount} was added to your store credit.',
  },
  order: {
    title: 'Order {number} of {date}',
    item: 'Item',
    quantity: 'Quantity',
    amount: 'Amount',
    total: 'Total',
    unavailable: 'Not available',
    due: 'You pay',
    byCredit: 'Paid with store credit',
    byCard: 'Paid by card',
  },
  shipment: {
    carrier: 'Carrier',
    unknownCarrier: 'unknown',
    trackingNumber: 'Tracking number',
    untracked: 'The carrier will contact you about the delivery.',
  },
  orderLink: 'See your order',
  sms: {
    shipped: '{shop}: your order {number} has been shipped.',
    expired: '{shop}: your payment was not confirmed in time, order {number} was not placed.',
  },
  footer: 'You receive this e-mail because you placed an order with {shop}.',
};
