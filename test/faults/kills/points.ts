/** Every failpoint with the scenario that reaches it and the cells of the fault matrix it proves. */
import type { Moment, Seam } from '../../../tools/failpoints/failpoints.ts';
import type { CellId } from '../table.ts';
import type { ScenarioName } from './scenarios.ts';

export interface Point {
  readonly scenario: ScenarioName;
  readonly cells: readonly CellId[];
}

/** One death of a process: where, and in which scenario. */
export interface Kill extends Point {
  readonly seam: Seam;
  readonly moment: Moment;
}

type Points = Readonly<Record<Seam, Point | Readonly<Record<Moment, Point>>>>;

const on = (scenario: ScenarioName, ...cells: readonly CellId[]): Point => ({ scenario, cells });

const POINTS: Points = {
  'payments.authorize': { before: on('shipped'), after: on('abandoned', 'S2/F5') },
  'payments.look_up': on('refunded'),
  'payments.capture': { before: on('shipped', 'S6/F5'), after: on('shippedInPart', 'S6/F5') },
  'payments.void': on('voided', 'C2/F5'),
  'payments.refund': on('refunded', 'C2/F5'),
  'warehouse.reserve': { before: on('shipped', 'S5/F5'), after: on('shippedInPart', 'S5/F5') },
  'warehouse.release': on('refunded', 'C1/F5'),
  'warehouse.ship': on('shipped', 'S7/F5'),
  'warehouse.cancel': on('cancelled', 'C3/F5'),
  'mail.send': on('shipped', 'S8/F5'),
  'sms.send': on('shipped', 'S9/F5'),
  'webhook.send': on('shipped', 'S8/F5'),
  'temporal.start': on('shipped', 'S4/F5'),
  'temporal.start_delivery': on('webhookRetried'),
  'temporal.start_refund': on('refundedPartly'),
  'temporal.signal': on('shipped', 'CB/F5'),
  'temporal.update': on('cancelled'),

  'commit.order.created': { before: on('shipped', 'S1/F5'), after: on('shipped', 'S0/F5') },
  'commit.order.payment_action_required': on('challengedByClient', 'A1/F5'),
  'commit.order.declined': on('declined'),
  'commit.order.expired': on('abandoned'),
  'commit.order.placed': on('shipped', 'S3/F5'),
  'commit.order.reserved': {
    before: on('shippedInPart', 'S5/F5'),
    after: on('shippedInPart', 'S5/F5'),
  },
  'commit.order.paid': on('shipped', 'S6/F5'),
  'commit.order.shipment_requested': on('shipped', 'S7/F5'),
  'commit.order.shipped': on('shipped'),
  'commit.order.cancelling': on('refunded'),
  'commit.order.stock_released': on('refunded', 'C1/F5'),
  'commit.order.payment_voided': on('voided', 'C2/F5'),
  'commit.order.payment_refunded': on('refunded', 'C2/F5'),
  'commit.order.shipment_cancelled': on('cancelled', 'C3/F5'),
  'commit.order.cancelled': on('refunded'),
  'commit.order.needs_attention': on('resolvedByOperator'),
  'commit.order.attention_resolved': on('resolvedByOperator'),
  'commit.order.customer_notified': on('shipped', 'S8/F5'),
  'commit.order.notification_failed': on('mailRefused'),
  'commit.refund.requested': on('refundedPartly'),
  'commit.refund.pending': on('refundPending'),
  'commit.refund.external': on('refundPending'),
  'commit.refund.succeeded': on('refundedPartly'),
  'commit.refund.failed': on('refundRefused'),
  'commit.refund.needs_attention': on('refundRedriven'),
  'commit.payment.disputed': on('disputed'),
  'commit.order.shipment_held': on('disputed'),
  'commit.order.discrepancy_found': on('discrepancyResolved'),
  'commit.order.discrepancy_resolved': on('discrepancyResolved'),
  'commit.order.erased': on('erased'),

  'commit.payment_operations.insert': on('shipped', 'S6/F5'),
  'commit.shipments.insert': on('shipped', 'S7/F5'),
  'commit.shipments.update': on('refunded'),
  'commit.orders.update': on('shipped', 'S4/F5'),
  'commit.refunds.update': on('refundedPartly'),
  'commit.idempotency_keys.insert': on('cancelled'),
  'commit.idempotency_keys.update': on('retried', 'S0/F5'),
  'commit.inbox.insert': on('shipped', 'CB/F5'),
  'commit.inbox.update': on('shipped', 'CB/F5'),
  'commit.subscriptions.update': on('shipped', 'O1/F5'),
  'commit.consumed_events.insert': on('shipped', 'O1/F5'),
  'commit.webhook_attempts.insert': on('shipped', 'S8/F5'),
  'commit.dead_letters.insert': on('webhookDeadLettered'),
  'commit.audit_log.insert': on('shipped', 'O1/F5'),
};

const killed = (
  scenario: ScenarioName,
  seam: Seam,
  ...moments: readonly Moment[]
): readonly Kill[] => moments.map((moment) => ({ seam, moment, scenario, cells: ['A1/F5'] }));

/** Between the bank's question and its end: each commit and call of page, webhook and recovery. */
export const CHALLENGE_KILLS: readonly Kill[] = [
  ...killed('challengedByClient', 'commit.order.placed', 'before', 'after'),
  ...killed('challengedByWebhook', 'commit.inbox.insert', 'after'),
  ...killed('challengedByWebhook', 'commit.order.placed', 'before', 'after'),
  ...killed('challengedByWebhook', 'commit.inbox.update', 'before'),
  ...killed('challengedByBoth', 'commit.order.placed', 'before', 'after'),
  ...killed('challengeFailed', 'commit.order.declined', 'before', 'after'),
  ...killed('challengeAbandoned', 'payments.void', 'before', 'after'),
  ...killed('challengeAbandoned', 'commit.order.expired', 'before', 'after'),
];

/** The scenario that reaches the failpoint. */
export function pointOf(seam: Seam, moment: Moment): Point {
  const point = POINTS[seam];
  return 'scenario' in point ? point : point[moment];
}

/** True when the scenario cancels the order while its parcel is packed. */
export function isCancellation(seam: Seam): boolean {
  return pointOf(seam, 'before').scenario === 'cancelled';
}
