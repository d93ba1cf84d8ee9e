/** The e-mail or SMS of each notification, in the language of the order. No other module writes to customers. */
import type { SmsKind } from '../../../domain/ids.ts';
import { formatMoney } from '../../../domain/money.ts';
import { orderNumber } from '../../../domain/order-number.ts';
import { cardMinor, chargeOf, sentQuantity, type Order } from '../../../domain/order.ts';
import type { Shipment } from '../../../domain/shipment.ts';
import type { Refund } from '../../../domain/refund.ts';
import { toLine } from '../../../domain/text.ts';
import { formatDate } from '../../../domain/time-zone.ts';
import { messagesIn } from './languages.ts';
import { renderEmail, type Email, type EmailContent } from './layout.ts';
import { fill } from './messages.ts';

/** What messages say of the shop. */
export interface ShopProfile {
  readonly name: string;
  /** The order's page, with `{order_id}` or `{order_number}` in it; null: no message links to it. */
  readonly orderUrl: string | null;
  /** IANA name, of dates. */
  readonly timeZone: string;
}

/** What the message is about. */
export type Occasion =
  | { readonly kind: 'confirmed' | 'cancelled' | 'expired' }
  | { readonly kind: 'shipped'; readonly shipment: Shipment | null }
  | { readonly kind: 'refunded'; readonly refund: Refund };

/** Of the warehouse contract. */
const MAX_LINE = 200;

/** Composes the e-mail about the order. */
export async function composeEmail(
  shop: ShopProfile,
  order: Order,
  occasion: Occasion,
): Promise<Email> {
  const { language, name } = order.customer;
  const messages = messagesIn(language);
  const { subject, heading } = messages[occasion.kind];
  const values = { shop: shop.name, number: orderNumber(order.id) };
  return renderEmail({
    language,
    subject: fill(subject, values),
    heading,
    paragraphs: [fill(messages.greeting, { name }), ...paragraphsOf(order, occasion)],
    facts: factsOf(order, occasion),
    table: tableOf(shop, order),
    link: linkOf(shop, order),
    footer: fill(messages.footer, values),
  });
}

/** Of one SMS in the alphabet of GSM: https://www.twilio.com/docs/glossary/what-sms-character-limit */
const SMS_LENGTH = 160;
/** Without what other alphabets need. A carrier's number is of this form. */
const PLAIN_NUMBER = /^[\w./ -]+$/;

/**
 * Composes the text message, always the same for an order, because the provider's copy is recognized by it. The
 * tracking number is left out where it would make a second SMS of it; the e-mail has every one.
 */
export function composeSms(
  shop: ShopProfile,
  order: Order,
  { kind, shipment }: { readonly kind: SmsKind; readonly shipment: Shipment | null },
): string {
  const { sms, shipment: labels } = messagesIn(order.customer.language);
  const text = fill(sms[kind], { shop: shop.name, number: orderNumber(order.id) });
  const trackingNumber = shipment?.trackingNumber ?? '';
  const longer = `${text} ${labels.trackingNumber}: ${trackingNumber}`;
  return PLAIN_NUMBER.test(trackingNumber) && longer.length <= SMS_LENGTH ? longer : text;
}

function paragraphsOf(order: Order, occasion: Occasion): readonly string[] {
  const { confirmed, shipped, cancelled, expired, refunded, shipment } = messagesIn(
    order.customer.language,
  );
  switch (occasion.kind) {
    case 'confirmed':
      return order.dueMinor === null ? [confirmed.text] : partParagraphs(order);
    case 'shipped':
      return [shipped.text, ...(occasion.shipment?.trackingNumber ? [] : [shipment.untracked])];
    case 'cancelled':
      return [
        cancelled.reasons[order.cancelReason ?? 'requested_by_operator'],
        cancelled.noCharge,
        ...(order.creditMinor > 0 ? [cancelled.creditBack] : []),
      ];
    case 'expired':
      return [expired.text, ...(order.creditMinor > 0 ? [cancelled.creditBack] : [])];
    case 'refunded': {
      const { amountMinor, creditMinor } = occasion.refund;
      const say = (text: string, minor: number): readonly string[] =>
        minor === 0 ? [] : [fill(text, { amount: moneyOf(order, minor) })];
      return [
        ...say(
          amountMinor === chargeOf(order).dueMinor ? refunded.whole : refunded.part,
          amountMinor,
        ),
        ...say(refunded.toCard, amountMinor - creditMinor),
        ...say(refunded.toCredit, creditMinor),
      ];
    }
  }
}

/** That not all of the order is sent, and what that means for the money. */
function partParagraphs(order: Order): readonly string[] {
  const { partial } = messagesIn(order.customer.language);
  const { creditMinor, cardMinor: onCard } = chargeOf(order);
  const say = (text: string, minor: number): readonly string[] =>
    minor === 0 ? [] : [fill(text, { amount: moneyOf(order, minor) })];
  return [
    partial.text,
    ...say(partial.creditBack, order.creditMinor - creditMinor),
    ...say(partial.released, cardMinor(order) - onCard),
  ];
}

function factsOf(order: Order, occasion: Occasion): EmailContent['facts'] {
  if (occasion.kind === 'shipped') return trackingOf(order, occasion.shipment);
  return occasion.kind === 'confirmed' && order.dueMinor !== null ? unitsOf(order) : [];
}

/** What is sent, and what is not. */
function unitsOf(order: Order): EmailContent['facts'] {
  const { sent, unavailable } = messagesIn(order.customer.language).partial;
  const list = (label: string, unitsIn: (line: Order['lines'][number]) => number) =>
    order.lines.flatMap((line) => {
      const units = unitsIn(line);
      return units === 0 ? [] : [{ label, value: `${units} x ${line.name}` }];
    });
  return [
    ...list(sent, sentQuantity),
    ...list(unavailable, (line) => line.quantity - sentQuantity(line)),
  ];
}

/** The warehouse's own words. They were lines when they came; a mail is the last to check it. */
function trackingOf(order: Order, shipment: Shipment | null): EmailContent['facts'] {
  const { carrier, trackingNumber } = shipment ?? {};
  if (!trackingNumber) return [];
  const { shipment: labels } = messagesIn(order.customer.language);
  return [
    { label: labels.carrier, value: toLine(carrier ?? labels.unknownCarrier, MAX_LINE) },
    { label: labels.trackingNumber, value: toLine(trackingNumber, MAX_LINE) },
  ];
}

function tableOf({ timeZone }: ShopProfile, order: Order): EmailContent['table'] {
  const { language } = order.customer;
  const { title, item, quantity, amount } = messagesIn(language).order;
  const date = formatDate(order.createdAt, { language, timeZone });
  return {
    title: fill(title, { number: orderNumber(order.id), date }),
    head: [item, quantity, amount],
    rows: [
      ...order.lines.map((line) => ({
        item: line.name,
        quantity: line.quantity,
        amount: moneyOf(order, line.quantity * line.unitPriceMinor),
      })),
      ...order.adjustments.map(({ label, amountMinor }) => ({
        item: label,
        quantity: null,
        amount: moneyOf(order, amountMinor),
      })),
    ],
    sums: sumsOf(order),
  };
}

const UNPAID: readonly Order['status'][] = ['cancelled', 'expired'];

/**
 * The total, what of it is paid when not all is sent, and what paid it when that was not the card alone;
 * of a cancelled order nothing did.
 */
function sumsOf(order: Order): EmailContent['table']['sums'] {
  const { total, unavailable, due, byCredit, byCard } = messagesIn(order.customer.language).order;
  const { dueMinor, creditMinor, cardMinor: onCard } = chargeOf(order);
  const isPaid = !UNPAID.includes(order.status);
  const part = [
    { label: unavailable, minor: dueMinor - order.totalMinor },
    { label: due, minor: dueMinor },
  ];
  const paid = [
    { label: byCredit, minor: creditMinor },
    { label: byCard, minor: onCard },
  ];
  return [
    { label: total, minor: order.totalMinor },
    ...(order.dueMinor !== null && isPaid ? part : []),
    ...(order.creditMinor > 0 && isPaid ? paid.filter(({ minor }) => minor > 0) : []),
  ].map(({ label, minor }) => ({ label, value: moneyOf(order, minor) }));
}

function linkOf({ orderUrl }: ShopProfile, order: Order): EmailContent['link'] {
  if (orderUrl === null) return null;
  const value = fill(orderUrl, { order_id: order.id, order_number: orderNumber(order.id) });
  return { label: messagesIn(order.customer.language).orderLink, value };
}

function moneyOf({ currency, customer }: Order, amountMinor: number): string {
  return formatMoney({ amountMinor, currency }, customer.language);
}
