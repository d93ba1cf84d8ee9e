/**
 * What a reader sees of an order's events: an operator all of them, a storefront those of this table. What
 * is for operators alone (`cases`, `attention`, `trouble`) is in no timeline of a storefront, because its
 * pages pass the timeline on to the shopper, who may be a fraudster.
 */
import { EVENT_TYPES, type EventType, type OrderEvent } from '../../domain/order.ts';
import type { TimelineEntryBody } from '../schemas/orders.ts';

export interface TimelineView {
  /** Only these events are read; undefined: all. */
  readonly types: readonly EventType[] | undefined;
  entry(event: OrderEvent): TimelineEntryBody;
}

const MONEY = ['amount_minor', 'currency'];
const REFUND = ['refund_id', 'amount_minor', 'credit_minor', 'currency'];

/** By type, the members of `data` that a storefront sees. Without a row it does not see the event. */
const STOREFRONT_MEMBERS: Readonly<Partial<Record<EventType, readonly string[]>>> = {
  'order.created': [],
  'order.payment_action_required': MONEY,
  'order.declined': ['decline_code'],
  'order.expired': ['cause'],
  'order.placed': ['total_minor', 'credit_minor', 'currency'],
  'order.reserved': ['lines', 'due_minor', 'credit_returned_minor'],
  'order.paid': MONEY,
  'order.shipment_requested': [],
  'order.shipped': ['carrier', 'tracking_number'],
  'order.delivered': [],
  'order.cancelling': ['reason'],
  'order.stock_released': [],
  'order.payment_voided': MONEY,
  'order.payment_refunded': REFUND,
  'order.shipment_cancelled': [],
  'order.cancelled': ['reason'],
  // As the status of the order says: which step and why is for operators.
  'order.needs_attention': [],
  'order.attention_resolved': [],
  'order.customer_notified': ['notification', 'channel'],
  'order.notification_failed': ['notification', 'channel'],
  'refund.requested': [...REFUND, 'restocked'],
  'refund.pending': REFUND,
  'refund.external': REFUND,
  'refund.succeeded': REFUND,
  'refund.failed': REFUND,
  'refund.needs_attention': ['refund_id'],
  'order.erased': [],
};

const OPERATOR: TimelineView = { types: undefined, entry: entryBody };
export const STOREFRONT: TimelineView = {
  types: EVENT_TYPES.filter((type) => STOREFRONT_MEMBERS[type] !== undefined),
  entry(event) {
    const members = STOREFRONT_MEMBERS[event.type] ?? [];
    const shown = Object.entries(event.data).filter(([name]) => members.includes(name));
    return { ...entryBody(event), data: Object.fromEntries(shown) };
  },
};

export function timelineView(reader: { readonly isOperator: boolean }): TimelineView {
  return reader.isOperator ? OPERATOR : STOREFRONT;
}

function entryBody(event: OrderEvent): TimelineEntryBody {
  return {
    id: event.id,
    type: event.type,
    seq: event.seq,
    time: event.time,
    data: { ...event.data },
    correlation_id: event.correlationId,
  };
}
