/**
 * Identifiers and everything derived from them. Every workflow id, idempotency key and correlation
 * id is built here and nowhere else, so that a retry, a redrive or a deploy can never invent a
 * second name for the same intent.
 */

export type OrderId = string & { readonly brand: 'OrderId' };
export type PaymentId = string & { readonly brand: 'PaymentId' };
export type ShipmentId = string & { readonly brand: 'ShipmentId' };
export type RefundId = string & { readonly brand: 'RefundId' };
export type CustomerId = string & { readonly brand: 'CustomerId' };

/** An intent at an outside provider. One intent has one key for ever. */
export type Intent = 'authorize' | 'capture' | 'void' | 'refund' | 'reserve' | 'release' | 'ship';

/** What a customer can be told about an order. Each refund has a notice of its own. */
export type Notification = 'confirmed' | 'shipped' | 'cancelled' | RefundNotification;
export type RefundNotification = `refunded/${string}`;

/** Prefixes of public ids, as typeid (type-safe UUIDv7) renders them. */
export const ID_PREFIX = {
  order: 'ord',
  payment: 'pay',
  shipment: 'shp',
  refund: 'rfd',
  customer: 'cus',
  apiKey: 'key',
  deadLetter: 'dl',
  webhookEndpoint: 'we',
  reconciliation: 'rec',
  discrepancy: 'dsc',
} as const;

const TYPEID_SUFFIX = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** True when the text has the form of an order id. Says nothing about whether the order exists. */
export function isOrderId(text: string): text is OrderId {
  return hasForm(text, ID_PREFIX.order);
}

/** True when the text has the form of a refund id. Says nothing about whether the refund exists. */
export function isRefundId(text: string): text is RefundId {
  return hasForm(text, ID_PREFIX.refund);
}

function hasForm(text: string, prefix: string): boolean {
  return text.startsWith(`${prefix}_`) && TYPEID_SUFFIX.test(text.slice(prefix.length + 1));
}

/** The workflow that carries one order. The id is business identity: one order, one workflow. */
export function checkoutWorkflowId(orderId: OrderId): string {
  return `checkout/${orderId}`;
}

/**
 * The update by which one request cancels an order: the same for each repeat of the request. It ends
 * up in histories, events and the audit log, so of the client's key it has the digest alone.
 */
export function cancelUpdateId(apiKeyId: string, requestDigest: string): string {
  return `cancel/${apiKeyId}/${requestDigest}`;
}

/** The API key that asked for a cancel, by what its update was called; null when it was no such. */
export function cancellingKey(updateId: string): string | null {
  return /^cancel\/(.+)\/[0-9a-f]{64}$/.exec(updateId)?.[1] ?? null;
}

/**
 * The idempotency key under which a provider sees an intent: the same across retries, crashes,
 * redrives and deploys. Written down before the first call.
 */
export function providerKey(orderId: OrderId, intent: Intent): string {
  return `${orderId}/${intent}`;
}

/** The key of a refund that was asked for: an order can have several, each its own intent. */
export function refundKey(orderId: OrderId, refundId: RefundId): string {
  return `${providerKey(orderId, 'refund')}/${refundId}`;
}

/** The workflow that carries one refund. */
export function refundWorkflowId(refundId: RefundId): string {
  return `refund/${refundId}`;
}

/** Pairs a shipping request with the answer that comes later by callback. */
export function shipmentCorrelationId(orderId: OrderId): string {
  return `${orderId}.ship`;
}

/** The workflow that pumps events to one subscriber. */
export function subscriptionWorkflowId(subscription: string): string {
  return `subscription/${subscription}`;
}

/** The workflow that tries again to deliver one event to one subscriber. */
export function deliveryWorkflowId(subscription: string, eventId: string): string {
  return `delivery/${subscription}/${eventId}`;
}

/** The workflow that compares our books with the providers'. */
export function reconcileWorkflowId(reconciliationId: string): string {
  return `reconcile/${reconciliationId}`;
}

/** The workflow that tells a customer again, when a person asks for it. */
export function notificationWorkflowId(orderId: OrderId, notification: Notification): string {
  return `notice/${orderId}/${notification}`;
}

/** RFC 5322 Message-ID local part: constant per order and notice, so a repeat is recognisable. */
export function notificationKey(orderId: OrderId, notification: Notification): string {
  return `${orderId}.${notification}`;
}

/** The notice that tells of one refund. */
export function refundNotification(refundId: RefundId): RefundNotification {
  return `refunded/${refundId}`;
}

/** The refund a notice is about; null when it is about the order. */
export function refundOfNotification(notification: string): RefundId | null {
  const [kind, id = ''] = notification.split('/');
  return kind === 'refunded' && isRefundId(id) ? id : null;
}
