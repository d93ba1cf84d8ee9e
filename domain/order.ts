/**
 * The order: statuses, the transition table, and its types. Order, payment and shipment each have a
 * status of their own.
 */
import type { CustomerId, OrderId } from './ids.ts';
import type { Language } from './language.ts';

export const ORDER_STATUSES = [
  'pending',
  'declined',
  'expired',
  'placed',
  'reserved',
  'paid',
  'shipped',
  'delivered',
  'cancelling',
  'cancelled',
  'needs_attention',
] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

/** Of one order line's units: `held` until the warehouse has `reserved` them. */
export type ReservationStatus = 'held' | 'reserved' | 'shipped' | 'released';

/** The statuses an order may enter from each status. A decision says where `needs_attention` resumes. */
export const TRANSITIONS: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  pending: ['declined', 'expired', 'placed'],
  declined: [],
  expired: [],
  placed: ['reserved', 'cancelling', 'needs_attention'],
  reserved: ['paid', 'cancelling', 'needs_attention'],
  paid: ['shipped', 'cancelling', 'needs_attention'],
  shipped: ['delivered'],
  delivered: [],
  // `shipped`: the parcel left before the cancellation reached the warehouse.
  cancelling: ['cancelled', 'shipped', 'needs_attention'],
  cancelled: [],
  needs_attention: ['placed', 'reserved', 'paid', 'shipped', 'cancelling', 'cancelled'],
};

/** Statuses that an order leaves only by an operator's decision or an outside message. */
export const SETTLED_STATUSES: readonly OrderStatus[] = [
  'shipped',
  'delivered',
  'cancelled',
  'declined',
  'expired',
  'needs_attention',
];

/** The statuses from which an order may enter `to`. */
export function sourcesOf(to: OrderStatus): OrderStatus[] {
  return ORDER_STATUSES.filter((from) => TRANSITIONS[from].includes(to));
}

/** True when the order does not advance on its own. */
export function isSettledStatus(status: OrderStatus): boolean {
  return SETTLED_STATUSES.includes(status);
}

/** Why an order was cancelled. A closed list: customers, operators and reports read it. */
export const CANCEL_REASONS = [
  'requested_by_customer',
  'requested_by_operator',
  'warehouse_refused',
  'payment_refused',
  'shipping_refused',
  'deadline_passed',
  'authorization_expiring',
] as const;
export type CancelReason = (typeof CANCEL_REASONS)[number];

export interface ShippingAddress {
  readonly line1: string;
  readonly line2?: string | undefined;
  readonly city: string;
  /** State, province or prefecture. */
  readonly region?: string | undefined;
  /** Undefined only in a country without postal codes. */
  readonly postalCode?: string | undefined;
  readonly country: string;
}

/** The customer as an order has it. */
export interface Customer {
  readonly id: CustomerId;
  readonly email: string;
  readonly name: string;
  readonly phone: string | null;
  /** Of the messages about the order. */
  readonly language: Language;
  /** Agreed to notifications by SMS. Only with a phone. */
  readonly smsConsent: boolean;
}

/** What becomes of an order that the warehouse has only a part of. */
export const FULFILLMENTS = ['all_or_nothing', 'ship_available'] as const;
export type Fulfillment = (typeof FULFILLMENTS)[number];

export interface OrderLine {
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  readonly unitPriceMinor: number;
  /** How many of them the warehouse has reserved, when that is not all of the order. */
  readonly reservedQuantity?: number;
}

export const ADJUSTMENT_KINDS = ['shipping', 'tax', 'discount', 'other'] as const;
export type AdjustmentKind = (typeof ADJUSTMENT_KINDS)[number];

/** What the shop adds to the lines of an order, or, negative, takes off, by its own rates and rules. */
export interface Adjustment {
  readonly kind: AdjustmentKind;
  /** The shop's text for the customer, on one line. */
  readonly label: string;
  readonly amountMinor: number;
}

/** Times are ISO 8601 strings in UTC everywhere in the domain. */
export interface Order {
  readonly id: OrderId;
  readonly status: OrderStatus;
  readonly version: number;
  readonly currency: string;
  /** The sum of the lines and the adjustments; never negative. */
  readonly totalMinor: number;
  /** The part of the total that store credit pays. */
  readonly creditMinor: number;
  readonly fulfillment: Fulfillment;
  /** What is paid, when not all of the order is sent: null: the total. */
  readonly dueMinor: number | null;
  readonly lines: readonly OrderLine[];
  readonly adjustments: readonly Adjustment[];
  readonly customer: Customer;
  readonly shippingAddress: ShippingAddress;
  readonly correlationId: string;
  /** The trace of the request that placed it (W3C Trace Context), if it had one. */
  readonly traceparent: string | null;
  /** True: its checkout runs every step as an ordinary activity, for people who watch it. */
  readonly inspectable: boolean;
  readonly cancelReason: CancelReason | null;
  /** The steps that need a decision, as one text, while the order needs attention. */
  readonly attentionStep: string | null;
  /** When the person was erased: customer and address say `erased`. */
  readonly erasedAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** The part of the total that the card pays. 0: no payment provider is called. */
export function cardMinor(order: Pick<Order, 'totalMinor' | 'creditMinor'>): number {
  return order.totalMinor - order.creditMinor;
}

/** What an order costs, with the part that each means of payment pays. */
export interface Charge {
  readonly dueMinor: number;
  readonly creditMinor: number;
  readonly cardMinor: number;
}

/**
 * What is paid for what is sent. What is not sent reduces the part of store credit first, so the card pays
 * nothing only when what is sent costs nothing.
 */
export function chargeOf({
  totalMinor,
  creditMinor,
  dueMinor,
}: Pick<Order, 'totalMinor' | 'creditMinor' | 'dueMinor'>): Charge {
  const due = dueMinor ?? totalMinor;
  const byCredit = Math.max(0, creditMinor - (totalMinor - due));
  return { dueMinor: due, creditMinor: byCredit, cardMinor: due - byCredit };
}

/** How many units of a line are sent, as far as is known. */
export function sentQuantity(line: {
  readonly quantity: number;
  readonly reservedQuantity?: number | null;
}): number {
  return line.reservedQuantity ?? line.quantity;
}

/** An event of an order. `seq` is gap-free per order. */
export interface OrderEvent {
  readonly id: string;
  readonly type: EventType;
  readonly orderId: OrderId;
  readonly seq: number;
  readonly correlationId: string;
  readonly causationId: string | null;
  /** The order's. */
  readonly traceparent: string | null;
  readonly data: Readonly<Record<string, unknown>>;
  readonly time: string;
}

export const EVENT_TYPES = [
  'order.created',
  'order.payment_action_required',
  'order.declined',
  'order.expired',
  'order.placed',
  'order.reserved',
  'order.paid',
  'order.shipment_requested',
  'order.shipped',
  'order.delivered',
  'order.cancelling',
  'order.stock_released',
  'order.payment_voided',
  'order.payment_refunded',
  'order.shipment_cancelled',
  'order.cancelled',
  'order.needs_attention',
  'order.attention_resolved',
  'order.customer_notified',
  'order.notification_failed',
  'refund.requested',
  'refund.pending',
  'refund.external',
  'refund.succeeded',
  'refund.failed',
  'refund.needs_attention',
  'payment.disputed',
  'payment.dispute_closed',
  'payment.fraud_warning',
  'payment.review_opened',
  'payment.review_closed',
  'order.shipment_held',
  'order.discrepancy_found',
  'order.discrepancy_resolved',
  'order.erased',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];
