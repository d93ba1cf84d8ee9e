/** Every failpoint with the fate of an order that passes it, and the cells of the matrix it proves. */
import type { Moment, Seam } from '../../../tools/failpoints/failpoints.ts';
import type { CellId } from '../table.ts';
import type { FateName } from './scenarios.ts';

export interface Point {
  readonly fate: FateName;
  readonly cells: readonly CellId[];
}

type Points = Readonly<Record<Seam, Point | Readonly<Record<Moment, Point>>>>;

const on = (fate: FateName, ...cells: readonly CellId[]): Point => ({ fate, cells });

const POINTS: Points = {
  'payments.authorize': { before: on('shipped'), after: on('givenUp', 'S2/F5') },
  'payments.look_up': on('refunded'),
  'payments.capture': on('shipped', 'S6/F5'),
  'payments.void': on('voided', 'C2/F5'),
  'payments.refund': on('refunded', 'C2/F5'),
  'warehouse.reserve': on('shipped', 'S5/F5'),
  'warehouse.release': on('refunded', 'C1/F5'),
  'warehouse.ship': on('shipped', 'S7/F5'),
  'warehouse.cancel': on('withdrawn', 'C3/F5'),
  'mail.send': on('shipped', 'S8/F5'),
  'webhook.send': on('shipped', 'S8/F5'),
  'temporal.start': on('shipped', 'S4/F5'),
  'temporal.start_delivery': on('undelivered'),
  'temporal.start_refund': on('givenBack'),
  'temporal.signal': on('shipped', 'CB/F5'),
  'temporal.update': on('withdrawn'),

  'commit.order.created': { before: on('shipped', 'S1/F5'), after: on('shipped', 'S0/F5') },
  'commit.order.declined': on('declined'),
  'commit.order.expired': on('givenUp'),
  'commit.order.placed': on('shipped', 'S3/F5'),
  'commit.order.reserved': on('shipped', 'S5/F5'),
  'commit.order.paid': on('shipped', 'S6/F5'),
  'commit.order.shipment_requested': on('shipped', 'S7/F5'),
  'commit.order.shipped': on('shipped'),
  'commit.order.cancelling': on('refunded'),
  'commit.order.stock_released': on('refunded', 'C1/F5'),
  'commit.order.payment_voided': on('voided', 'C2/F5'),
  'commit.order.payment_refunded': on('refunded', 'C2/F5'),
  'commit.order.shipment_cancelled': on('withdrawn', 'C3/F5'),
  'commit.order.cancelled': on('refunded'),
  'commit.order.needs_attention': on('attended'),
  'commit.order.attention_resolved': on('attended'),
  'commit.order.customer_notified': on('shipped', 'S8/F5'),
  'commit.order.notification_failed': on('unnotified'),
  'commit.refund.requested': on('givenBack'),
  'commit.refund.succeeded': on('givenBack'),
  'commit.refund.failed': on('notGivenBack'),
  'commit.refund.needs_attention': on('givenBackByHelp'),
  'commit.order.discrepancy_found': on('differing'),
  'commit.order.discrepancy_resolved': on('differing'),

  'commit.payment_operations.insert': on('shipped', 'S6/F5'),
  'commit.shipments.insert': on('shipped', 'S7/F5'),
  'commit.shipments.update': on('refunded'),
  'commit.orders.update': on('shipped', 'S4/F5'),
  'commit.refunds.update': on('givenBack'),
  'commit.idempotency_keys.insert': on('withdrawn'),
  'commit.idempotency_keys.update': on('placedLater', 'S0/F5'),
  'commit.inbox.insert': on('shipped', 'CB/F5'),
  'commit.inbox.update': on('shipped', 'CB/F5'),
  'commit.subscriptions.update': on('shipped', 'O1/F5'),
  'commit.consumed_events.insert': on('shipped', 'O1/F5'),
  'commit.webhook_attempts.insert': on('shipped', 'S8/F5'),
  'commit.dead_letters.insert': on('undelivered'),
  'commit.audit_log.insert': on('shipped', 'O1/F5'),
};

/** What passes the point. */
export function pointOf(seam: Seam, moment: Moment): Point {
  const point = POINTS[seam];
  return 'fate' in point ? point : point[moment];
}

/** True when the order that passes the point is cancelled while its parcel is packed. */
export function isWithdrawal(seam: Seam): boolean {
  return pointOf(seam, 'before').fate === 'withdrawn';
}
