/**
 * Identifiers and everything derived from them. Every workflow id, idempotency key and correlation
 * id is built here and nowhere else, so that a retry, a redrive or a deploy never uses a second name
 * for the same intent.
 */
import type { JobKind, JobStatus } from './jobs.ts';

export type OrderId = string & { readonly brand: 'OrderId' };
export type PaymentId = string & { readonly brand: 'PaymentId' };
export type ShipmentId = string & { readonly brand: 'ShipmentId' };
export type RefundId = string & { readonly brand: 'RefundId' };
export type CustomerId = string & { readonly brand: 'CustomerId' };
export type JobId = string & { readonly brand: 'JobId' };

/** An intent at a provider. One intent has one key, forever; see `derivedKey`. */
export type Intent = 'authorize' | 'capture' | 'void' | 'refund' | 'reserve' | 'release' | 'ship';

/** The notifications that are sent by SMS, too. Each has its texts in activities/checkout/messages. */
const SMS_KINDS = ['shipped', 'expired'] as const;
export type SmsKind = (typeof SMS_KINDS)[number];

/** The notifications by e-mail that an order has once. */
const MAIL_KINDS = ['confirmed', 'shipped', 'cancelled', 'expired'] as const;

/** A notification to the customer about an order, by e-mail unless it says so. Each refund has its own. */
export type Notification = (typeof MAIL_KINDS)[number] | RefundNotification | `sms/${SmsKind}`;
export type RefundNotification = `refunded/${string}`;

/** Prefixes of public ids, as typeid (type-safe UUIDv7) renders them. */
export const ID_PREFIX = {
  order: 'ord',
  payment: 'pay',
  shipment: 'shp',
  refund: 'rfd',
  customer: 'cus',
  quote: 'quo',
  creditEntry: 'cre',
  apiKey: 'key',
  deadLetter: 'dl',
  redrive: 'rdr',
  webhookEndpoint: 'we',
  reconciliation: 'rec',
  discrepancy: 'dsc',
  report: 'rep',
  import: 'imp',
  bulk: 'blk',
} as const;

const TYPEID_SUFFIX = '[0-7][0-9a-hjkmnp-tv-z]{25}';

/** The form of ids with the prefix. */
export function idForm(kind: keyof typeof ID_PREFIX): RegExp {
  return new RegExp(`^${ID_PREFIX[kind]}_${TYPEID_SUFFIX}$`);
}

/** True when the text has the form of an order id. Says nothing about whether the order exists. */
export function isOrderId(text: string): text is OrderId {
  return ORDER_ID.test(text);
}

/** True when the text has the form of a refund id. Says nothing about whether the refund exists. */
export function isRefundId(text: string): text is RefundId {
  return REFUND_ID.test(text);
}

/** True when the text has the form of a job's id. Says nothing about whether the job exists. */
export function isJobId(text: string): text is JobId {
  return JOB_IDS.some((form) => form.test(text));
}

/** The kind of a job, by its prefix. */
export function jobKindOf(jobId: JobId): JobKind {
  return JOB_KINDS.find((kind) => idForm(kind).test(jobId)) ?? 'report';
}

/** True when the text has the form of a customer id. Says nothing about whether the customer exists. */
export function isCustomerId(text: string): text is CustomerId {
  return CUSTOMER_ID.test(text);
}

const CUSTOMER_ID = idForm('customer');
const ORDER_ID = idForm('order');
const REFUND_ID = idForm('refund');
const JOB_KINDS = ['report', 'import', 'bulk'] as const satisfies readonly JobKind[];
const JOB_IDS = JOB_KINDS.map(idForm);

/** The checkout workflow of an order: one order, one workflow. */
export function checkoutWorkflowId(orderId: OrderId): string {
  return `checkout/${orderId}`;
}

/**
 * The update by which one request cancels an order: the same for each repeat of the request. It is
 * stored in histories, events and the audit log, so it has only the digest of the client's key.
 */
export function cancelUpdateId(apiKeyId: string, requestDigest: string): string {
  return `cancel/${apiKeyId}/${requestDigest}`;
}

/** The API key that cancelled an order, by the update's id; null when the id is no cancel. */
export function cancellingKey(updateId: string): string | null {
  return /^cancel\/(.+)\/[0-9a-f]{64}$/.exec(updateId)?.[1] ?? null;
}

/**
 * The idempotency key of an intent at its provider: the same across retries, crashes, redrives and
 * deploys. Recorded before the first call.
 */
export function providerKey(orderId: OrderId, intent: Intent): string {
  return `${orderId}/${intent}`;
}

/**
 * The key under which an intent is sent for the nth time to a provider that replays a saved failure. It is
 * the same for each caller, so the provider still sees one request.
 */
export function derivedKey(key: string, nth: number): string {
  return nth === 1 ? key : `${key}/${nth}`;
}

/** The intent's own key, of one that `derivedKey` has made. */
export function intentKey(key: string): string {
  return key.replace(/\/\d+$/, '');
}

/** The key of a requested refund: an order can have several, each its own intent. */
export function refundKey(orderId: OrderId, refundId: RefundId): string {
  return `${providerKey(orderId, 'refund')}/${refundId}`;
}

/**
 * The key of the refund of what is left of a cancelled order. What a refusal leaves is an intent of its own,
 * whose key is none that `derivedKey` makes.
 */
export function remainingRefundKey(orderId: OrderId, refused: number): string {
  const key = providerKey(orderId, 'refund');
  return refused === 0 ? key : `${key}/rest${refused + 1}`;
}

/** The key of a refund that was made at the provider: its id there. */
export function externalRefundKey(reference: string): string {
  return `external/${reference}`;
}

/**
 * The key of an entry of store credit: what happens once to an order, a refund or a grant is written once.
 */
export function creditKey(kind: string, of: string): string {
  return `${of}/${kind}`;
}

/** The workflow of a refund. */
export function refundWorkflowId(refundId: RefundId): string {
  return `refund/${refundId}`;
}

/** Correlates a shipping request with the answer that comes later by callback. */
export function shipmentCorrelationId(orderId: OrderId): string {
  return `${orderId}.ship`;
}

/** The workflow that pumps events to a subscriber. */
export function subscriptionWorkflowId(subscription: string): string {
  return `subscription/${subscription}`;
}

/** The workflow that retries the delivery of one event to one subscriber. */
export function deliveryWorkflowId(subscription: string, eventId: string): string {
  return `delivery/${subscription}/${eventId}`;
}

/** The workflow that compares our records with the providers'. */
export function reconcileWorkflowId(reconciliationId: string): string {
  return `reconcile/${reconciliationId}`;
}

/** The workflow of a job: `report/rep_...`, `import/imp_...` or `bulk/blk_...`. */
export function jobWorkflowId(jobId: JobId): string {
  return `${jobKindOf(jobId)}/${jobId}`;
}

/** RFC 5322 Message-ID local part of the mail that says how a job ended. */
export function jobMailKey(job: {
  readonly id: JobId;
  readonly status: JobStatus;
  readonly batches: number;
}): string {
  return `${job.id}.${job.status}.${job.batches}`;
}

/** The workflow that resends a notification, when an operator requests it. */
export function notificationWorkflowId(orderId: OrderId, notification: Notification): string {
  return `notification/${orderId}/${notification}`;
}

/** True for the name of a notification. Says nothing about whether its refund exists. */
export function isNotification(name: string): name is Notification {
  const isMail = MAIL_KINDS.some((kind) => kind === name);
  return isMail || smsKindOf(name) !== null || refundOfNotification(name) !== null;
}

/** What a notification by SMS is about; null for one by e-mail. */
export function smsKindOf(notification: string): SmsKind | null {
  return SMS_KINDS.find((kind) => notification === `sms/${kind}`) ?? null;
}

/** RFC 5322 Message-ID local part: constant per order and notification, so a repeat is recognizable. */
export function notificationKey(orderId: OrderId, notification: Notification): string {
  return `${orderId}.${notification}`;
}

/** The notification about a refund. */
export function refundNotification(refundId: RefundId): RefundNotification {
  return `refunded/${refundId}`;
}

/** The refund that a notification is about; null when it is about the order. */
export function refundOfNotification(notification: string): RefundId | null {
  const [kind, id = ''] = notification.split('/');
  return kind === 'refunded' && isRefundId(id) ? id : null;
}
