/** Planted violations: of events, responses, dead letters, deliveries and maintenance. */
import type { Planting } from './planting.ts';

const ENABLED = `(SELECT id FROM webhook_endpoints WHERE status = 'enabled')`;
const dropped = [
  `UPDATE webhook_wanted_types SET until_xid = pg_current_xact_id() WHERE endpoint_id = ${ENABLED}`,
];
/** In this order: the second statement leaves no endpoint enabled. */
const disabled = [...dropped, `UPDATE webhook_endpoints SET status = 'disabled'`];

const OF_PAID = `event_id = (SELECT id FROM events WHERE order_id = ':shipped' AND type = 'order.paid')`;
const neverSent = [
  `UPDATE events SET time = now() - interval '1 hour'
   WHERE order_id = ':shipped' AND type = 'order.paid'`,
  `DELETE FROM webhook_attempts WHERE ${OF_PAID}`,
];

export const EVENT_PLANTINGS: readonly Planting[] = [
  {
    invariant: 'event_sequence',
    what: 'an event missing in the middle',
    statements: [
      `DELETE FROM events WHERE order_id = ':cancelledAfterCapture' AND type = 'order.stock_released'`,
    ],
  },
  {
    invariant: 'event_sequence',
    what: 'an old order without its first event',
    statements: [
      `UPDATE orders SET created_at = now() - interval '100 days' WHERE id = ':waitingWhileCancelling'`,
      `DELETE FROM events WHERE order_id = ':waitingWhileCancelling' AND seq = 1`,
    ],
  },
  {
    invariant: 'events_once',
    what: 'the same fact recorded twice',
    statements: [
      'DROP INDEX events_order_id_dedup_key_key',
      `UPDATE events SET dedup_key = 'order.stock_released'
       WHERE order_id = ':cancelledAfterCapture' AND type = 'order.payment_refunded'`,
    ],
  },
  {
    invariant: 'legal_transitions',
    what: 'an order paid before it was reserved',
    statements: [
      `UPDATE events SET type = 'order.paid' WHERE order_id = ':shipped' AND type = 'order.reserved'`,
    ],
  },
  {
    invariant: 'status_matches_events',
    what: 'a status without an event',
    statements: [`UPDATE orders SET status = 'delivered' WHERE id = ':shipped'`],
  },
  {
    invariant: 'responses_stored',
    what: 'an accepted order without a response',
    statements: [`DELETE FROM idempotency_keys WHERE order_id = ':shipped'`],
  },
  {
    invariant: 'responses_stored',
    what: 'a stored 201 for an unknown order',
    subject: 'lost',
    statements: [
      `INSERT INTO idempotency_keys
       (api_key_id, scope, key, fingerprint, order_id, state, lease_until, status, body)
       VALUES ('k', 'orders', 'lost', 'f', 'ord_lost', 'done', now(), 201, '"ord_lost"')`,
    ],
  },
  {
    invariant: 'erased_persons_gone',
    what: 'a stored response and a tracking number of an erased order',
    statements: [
      `UPDATE orders SET erased_at = now() + interval '1 minute', customer_email = 'erased',
       customer_name = 'erased', customer_phone = NULL,
       shipping_address = '{"line1": "erased", "city": "erased", "country": "DE"}'
       WHERE id = ':shipped'`,
    ],
  },
  {
    invariant: 'erased_persons_gone',
    what: 'an order of an erased customer',
    statements: [
      `UPDATE customers SET email = NULL, name = 'erased', phone = NULL
       WHERE id = (SELECT customer_id FROM orders WHERE id = ':paid')`,
    ],
  },
  {
    invariant: 'pending_ends',
    what: 'a pending order past its deadline',
    statements: [`UPDATE orders SET deadline_at = now() - interval '1 hour' WHERE id = ':pending'`],
  },
  {
    invariant: 'started_in_time',
    what: 'a placed order without a workflow',
    statements: [
      `UPDATE orders SET workflow_started_at = NULL, placed_at = now() - interval '1 hour'
       WHERE id = ':placed'`,
    ],
  },
  {
    invariant: 'authorizations_settled',
    what: 'an authorization unsettled for a week',
    statements: [
      `UPDATE payments SET created_at = now() - interval '8 days', capture_before = NULL
       WHERE order_id = ':waitingBeforeCapture'`,
    ],
  },
  {
    invariant: 'nothing_stuck',
    what: 'an order without progress for ten days',
    statements: [
      `UPDATE orders SET updated_at = now() - interval '10 days' WHERE id = ':reserved'`,
    ],
  },
  {
    invariant: 'nothing_stuck',
    what: 'a record that keeps failing, and no person is asked',
    subject: 'recordShipped: DriverAdapterError 22021',
    statements: [
      `INSERT INTO step_attempts
         (order_id, step, attempts, first_failed_at, unexpected_since, last_failure)
       VALUES (':paid', 'recordShipped', 60, now() - interval '1 hour', now() - interval '1 hour',
         'recordShipped: DriverAdapterError 22021')`,
    ],
  },
  {
    invariant: 'nothing_stuck',
    what: 'a refund that keeps failing, and no person is asked',
    statements: [
      `INSERT INTO step_attempts
         (order_id, step, attempts, first_failed_at, unexpected_since, last_failure)
       SELECT order_id, 'refund: ' || id, 60, now() - interval '1 hour', now() - interval '1 hour',
         'refund: the answer is not understood' FROM refunds WHERE order_id = ':refunding'`,
    ],
  },
  {
    invariant: 'attention_has_dead_letter',
    what: 'needs_attention without a dead letter',
    statements: [`DELETE FROM dead_letters WHERE order_id = ':waitingBeforeCapture'`],
  },
  {
    invariant: 'attention_has_dead_letter',
    what: 'an open dead letter of a shipped order',
    statements: [
      `UPDATE dead_letters SET source = 'checkout', subject = 'shipOrder'
       WHERE order_id = ':shipped' AND source = 'notification'`,
    ],
  },
  {
    invariant: 'dead_letters_valid',
    what: 'a dead letter without attempts',
    subject: 'dl_',
    statements: [
      'ALTER TABLE dead_letters DROP CONSTRAINT dead_letters_retry_count_check',
      `UPDATE dead_letters SET retry_count = 0 WHERE order_id = ':waitingBeforeCapture'`,
    ],
  },
  {
    invariant: 'redrives_end',
    what: 'a redrive without an outcome',
    subject: 'dl_',
    statements: [
      `UPDATE dead_letters SET decided_at = now() - interval '1 day' WHERE status = 'redriven'`,
    ],
  },
  {
    invariant: 'events_delivered',
    what: 'a stuck pump',
    subject: 'audit',
    statements: [
      `UPDATE subscriptions SET cursor_xid = '0', cursor_position = 0 WHERE name = 'audit'`,
      `UPDATE events SET time = now() - interval '1 hour' WHERE type = 'order.created'`,
    ],
  },
  {
    invariant: 'events_handled',
    what: 'an unhandled event behind the cursor',
    statements: [
      `DELETE FROM audit_log WHERE subject = ':shipped' AND action = 'order.reserved'`,
      `UPDATE events SET time = now() - interval '1 hour'
       WHERE order_id = ':shipped' AND type = 'order.reserved'`,
    ],
  },
  {
    invariant: 'webhooks_handled',
    what: 'an event that was passed over before its endpoint was disabled',
    statements: [...disabled, ...neverSent],
  },
  {
    invariant: 'webhooks_handled',
    what: 'an event that an enabled endpoint never received',
    statements: neverSent,
  },
  {
    invariant: 'webhooks_handled',
    what: 'a delivery that ended without a result',
    statements: [
      `UPDATE events SET time = now() - interval '3 days'
       WHERE order_id = ':shipped' AND type = 'order.paid'`,
      `UPDATE webhook_attempts SET outcome = 'failed', attempted_at = now() - interval '2 days'
       WHERE ${OF_PAID}`,
    ],
  },
  {
    invariant: 'events_delivered',
    what: 'a stuck pump before events of a type that was dropped',
    subject: 'webhook/we_',
    statements: [
      ...dropped,
      `UPDATE subscriptions SET cursor_xid = '0', cursor_position = 0, types = '{refund.failed}'
       WHERE name = 'webhook/' || ${ENABLED}`,
      `UPDATE events SET time = now() - interval '1 hour' WHERE type = 'order.created'`,
    ],
  },
  {
    invariant: 'dead_letters_valid',
    what: 'an open dead letter of a deleted endpoint',
    subject: 'dl_planted',
    statements: [
      `INSERT INTO dead_letters (id, source, subject, order_id, event_id, message, error, fingerprint,
         retry_count, first_failed_at, last_failed_at)
       SELECT 'dl_planted', 'delivery', 'webhook/we_gone', order_id, id, '{}', 'HTTP 500', 'f', 1, now(), now()
       FROM events WHERE order_id = ':shipped' AND type = 'order.paid'`,
    ],
  },
  {
    invariant: 'sales_counted_once',
    what: 'a sale counted twice',
    subject: 'mug-white',
    statements: [
      `UPDATE analytics_hourly SET orders = orders + 1, units = units + 2 WHERE sku = 'mug-white'`,
    ],
  },
  {
    invariant: 'sales_counted_once',
    what: 'a refund counted twice',
    subject: 'EUR',
    statements: [`UPDATE sales_hourly SET refunded_minor = refunded_minor + 100`],
  },
  {
    invariant: 'messages_processed',
    what: 'a callback that was not processed',
    subject: 'warehouse msg_lost',
    statements: [
      `INSERT INTO inbox (source, id, type, payload, received_at)
       VALUES ('warehouse', 'msg_lost', 'shipment.shipped', '{}', now() - interval '1 hour')`,
    ],
  },
  {
    invariant: 'decisions_audited',
    what: 'a decision without its audit entry',
    subject: 'dl_',
    statements: [`DELETE FROM audit_log WHERE action = 'dead_letter.redriven'`],
  },
  {
    invariant: 'decisions_audited',
    what: 'a pause without an audit entry',
    subject: 'analytics',
    statements: [`UPDATE subscriptions SET paused = true WHERE name = 'analytics'`],
  },
  {
    invariant: 'cursors_within_log',
    what: 'a cursor from another cluster',
    subject: 'audit',
    statements: [
      `UPDATE subscriptions SET cursor_xid = '9000000000000000000' WHERE name = 'audit'`,
    ],
  },
  {
    invariant: 'maintenance_runs',
    what: 'a sweep that stopped running',
    subject: 'sweep',
    statements: [
      `INSERT INTO maintenance_runs (name, finished_at, counts) VALUES ('sweep', now() - interval '1 hour', '{}')`,
    ],
  },
  {
    invariant: 'guards_in_place',
    what: 'an append-only table without its guard',
    subject: 'events_append_only',
    statements: ['ALTER TABLE events DISABLE TRIGGER events_append_only'],
  },
];
