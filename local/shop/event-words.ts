/** What goes on behind the answer, in words: the events of an order, and the calls at its providers. */
import type { Order, TimelineEntry } from './api.ts';
import type { Call } from './providers.ts';

export type Tone = 'done' | 'failed' | 'compensated' | 'waits' | 'plain';

export interface Words {
  readonly text: string;
  readonly tone: Tone;
}

/** What the API shows to a storefront's key. */
const EVENTS: Readonly<Record<string, readonly [text: string, tone: Tone]>> = {
  'order.created': ['Order opened, units set aside', 'plain'],
  'order.payment_action_required': ['The bank asks the shopper to confirm', 'waits'],
  'order.placed': ['Payment authorized, order recorded', 'done'],
  'order.declined': ['Declined; the units are free again', 'failed'],
  'order.expired': ['Expired; the units are free again', 'failed'],
  'order.reserved': ['The warehouse has set the goods aside', 'done'],
  'order.paid': ['The money is captured', 'done'],
  'order.shipment_requested': ['The warehouse is asked to ship; its answer comes later', 'waits'],
  'order.shipped': ['Shipped', 'done'],
  'order.delivered': ['Delivered', 'done'],
  'order.cancelling': ['The order is being cancelled', 'failed'],
  'order.stock_released': ['Compensation: the goods are released', 'compensated'],
  'order.payment_voided': ['Compensation: the payment is voided', 'compensated'],
  'order.payment_refunded': ['Compensation: the money is refunded', 'compensated'],
  'order.shipment_cancelled': ['Compensation: the shipment is cancelled', 'compensated'],
  'order.cancelled': ['Cancelled, with nothing left behind', 'compensated'],
  'order.needs_attention': ['Waits for a person', 'failed'],
  'order.attention_resolved': ['A person has decided', 'plain'],
  'order.customer_notified': ['Mail sent', 'plain'],
  'order.notification_failed': ['A mail could not be sent', 'failed'],
  'order.erased': ['The personal data is erased', 'plain'],
  'refund.requested': ['A refund is requested', 'waits'],
  'refund.pending': ['The refund is accepted and not sure yet', 'waits'],
  'refund.external': ['A refund was made at the payment provider', 'waits'],
  'refund.succeeded': ['The refund is done', 'compensated'],
  'refund.failed': ['The refund failed', 'failed'],
  'refund.needs_attention': ['The refund waits for a person', 'failed'],
};

/** The same about a text message. */
const SMS_EVENTS: typeof EVENTS = {
  'order.customer_notified': ['Text message sent', 'plain'],
  'order.notification_failed': ['A text message could not be sent', 'failed'],
};

const CANCEL_REASONS: Readonly<Record<string, string>> = {
  requested_by_customer: 'the customer asked for it',
  requested_by_operator: 'an operator asked for it',
  warehouse_refused: 'the warehouse does not have the goods',
  payment_refused: 'the payment could not be captured',
  shipping_refused: 'the warehouse refuses to ship',
  deadline_passed: 'it took too long',
  authorization_expiring: 'the authorization expires',
};

/** Of an order that is pending because its shopper has to act. */
const PAYMENT_ACTION = 'payment_action';

/** The status that an event leaves the order in; undefined where it changes none. */
const STATUSES: Readonly<Record<string, string>> = {
  'order.created': 'pending',
  'order.payment_action_required': PAYMENT_ACTION,
  'order.placed': 'placed',
  'order.declined': 'declined',
  'order.expired': 'expired',
  'order.reserved': 'reserved',
  'order.paid': 'paid',
  'order.shipped': 'shipped',
  'order.delivered': 'delivered',
  'order.cancelling': 'cancelling',
  'order.cancelled': 'cancelled',
  'order.needs_attention': 'needs_attention',
};

/** One event of the order. A type that is new here is shown by its name. */
export function eventInWords({ type, data }: TimelineEntry): Words {
  const [text, tone] =
    (data['channel'] === 'sms' && SMS_EVENTS[type]) || (EVENTS[type] ?? [type, 'plain']);
  const more = detailOf(type, data);
  return { text: more === '' ? text : `${text}: ${more}`, tone };
}

function detailOf(type: string, data: TimelineEntry['data']): string {
  switch (type) {
    case 'order.cancelling':
      return CANCEL_REASONS[String(data['reason'])] ?? String(data['reason']);
    case 'order.reserved':
      return Array.isArray(data['lines']) ? 'only a part of them is there' : '';
    case 'order.shipped':
      return `${String(data['carrier'])}, tracking number ${String(data['tracking_number'])}`;
    case 'order.customer_notified':
    case 'order.notification_failed':
      return String(data['notification']).replace(/^sms\/|\/.*/, '');
    default:
      return '';
  }
}

/** The status of the order as the shop shows it. */
export function statusOf({ status, payment }: Pick<Order, 'status' | 'payment'>): string {
  const isWaiting = status === 'pending' && payment?.status === 'requires_action';
  return isWaiting ? PAYMENT_ACTION : status;
}

/** The same after these events. */
export function statusAfter(events: readonly Pick<TimelineEntry, 'type'>[]): string {
  const known = events.flatMap(({ type }) => STATUSES[type] ?? []);
  return known.at(-1) ?? 'pending';
}

const STATUS_WORDS: Readonly<Record<string, readonly [text: string, tone: Tone]>> = {
  pending: ['being placed', 'waits'],
  [PAYMENT_ACTION]: ['waiting for you to confirm with your bank', 'waits'],
  placed: ['placed', 'waits'],
  reserved: ['goods reserved', 'waits'],
  paid: ['paid', 'waits'],
  shipped: ['shipped', 'done'],
  delivered: ['delivered', 'done'],
  cancelling: ['being cancelled', 'failed'],
  cancelled: ['cancelled', 'compensated'],
  declined: ['declined', 'failed'],
  expired: ['expired', 'failed'],
  needs_attention: ['waits for a person', 'failed'],
};

export function statusInWords(status: string): Words {
  const [text, tone] = STATUS_WORDS[status] ?? [status, 'plain'];
  return { text, tone };
}

/** True while the shopper has to act. */
export function waitsForShopper(status: string): boolean {
  return status === PAYMENT_ACTION;
}

/** Statuses after which the order only changes when a person acts, and mails follow within seconds. */
export function hasEnded(status: string): boolean {
  return ['shipped', 'delivered', 'cancelled', 'declined', 'expired'].includes(status);
}

const FAULTS: Readonly<Record<string, string>> = {
  down: 'down, the connection is cut',
  hang: 'no response',
  answer_lost: 'done, but the response is lost',
};

/** One call at a provider, such as `warehouse/ship: down, the connection is cut; attempt 3`. */
export function callInWords(call: Call, attempt: number): Words {
  const { provider, operation, status, fault, replayed } = call;
  const failed = status === null || status >= 500;
  const isMessage = operation === 'webhook' || operation === 'callback';
  const done = isMessage ? 'received by Holdfast' : 'done';
  const result = failed ? failureOf(status, fault) : resultOf(status, replayed && !isMessage, done);
  const suffix = attempt > 1 ? `; attempt ${attempt}` : '';
  const refused = !failed && status >= 400 && operation !== 'lookup';
  return {
    text: `${provider}/${operation}: ${result}${suffix}`,
    tone: failed || refused ? 'failed' : 'plain',
  };
}

function failureOf(status: number | null, fault: string | null): string {
  if (status !== null) return `error ${status}`;
  return FAULTS[fault ?? ''] ?? 'no connection';
}

function resultOf(status: number, replayed: boolean, done: string): string {
  if (status === 402) return 'declined';
  if (status === 404) return 'nothing found';
  if (status >= 400) return `refused with ${status}`;
  return replayed ? 'the saved response of the same key' : done;
}
