/**
 * For each invariant what breaks it: one violation, written past the code that would have refused it.
 * `also` names the invariants that cannot hold either when this one does not.
 */
import type pg from 'pg';
import type { Fates } from './fates.ts';

export interface Planting {
  readonly invariant: string;
  readonly what: string;
  readonly also?: readonly string[];
  /** What the report must name. */
  readonly subject: (fates: Fates) => string;
  readonly statements: (fates: Fates) => readonly string[];
}

const of = (fate: keyof Fates) => (fates: Fates) => fates[fate];

export const PLANTINGS: readonly Planting[] = [
  {
    invariant: 'stock_bounds',
    what: 'fewer units on hand than are held',
    also: ['never_oversold'],
    subject: () => 'poster-a2',
    statements: () => [
      'ALTER TABLE stock DROP CONSTRAINT stock_held_within_on_hand',
      `INSERT INTO stock_movements (sku, delta, kind, reason, actor)
       SELECT sku, 1 - on_hand, 'adjusted', 'planted', 'test' FROM stock WHERE sku = 'poster-a2'`,
      `UPDATE stock SET on_hand = 1 WHERE sku = 'poster-a2'`,
    ],
  },
  {
    invariant: 'stock_conserved',
    what: 'a unit that no movement brought',
    subject: () => 'mug-white',
    statements: () => [`UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'mug-white'`],
  },
  {
    invariant: 'holds_counted',
    what: 'a unit held for nobody',
    subject: () => 'mug-white',
    statements: () => [`UPDATE stock SET held = held + 1 WHERE sku = 'mug-white'`],
  },
  {
    invariant: 'never_oversold',
    what: 'more promised than came in',
    also: ['shipped_units_left'],
    subject: () => 'poster-a2',
    statements: ({ pending }) => [
      `INSERT INTO stock_movements (sku, delta, kind, reason, order_id, actor) VALUES
       ('poster-a2', -500, 'adjusted', 'planted', NULL, 'test'),
       ('poster-a2', 500, 'shipped', 'planted', '${pending}', 'test')`,
    ],
  },
  {
    invariant: 'shipped_units_left',
    what: 'one of two shipped units still on the shelf',
    subject: ({ shipped }) => `${shipped} mug-white`,
    statements: ({ shipped }) => [
      `UPDATE stock_movements SET delta = -1 WHERE order_id = '${shipped}' AND sku = 'mug-white'`,
      `UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'mug-white'`,
    ],
  },
  {
    invariant: 'lines_reserved',
    what: 'a paid line whose reservation was let go',
    subject: ({ paid }) => `${paid} mug-white`,
    statements: ({ paid }) => [
      `UPDATE reservations SET status = 'released' WHERE order_id = '${paid}' AND sku = 'mug-white'`,
      `UPDATE stock SET held = held - 2 WHERE sku = 'mug-white'`,
    ],
  },
  {
    invariant: 'lines_reserved',
    what: 'a cancelled order that still holds units',
    subject: ({ cancelledAfterCapture }) => `${cancelledAfterCapture} mug-white`,
    statements: ({ cancelledAfterCapture }) => [
      `UPDATE reservations SET status = 'reserved'
       WHERE order_id = '${cancelledAfterCapture}' AND sku = 'mug-white'`,
      `UPDATE stock SET held = held + 2 WHERE sku = 'mug-white'`,
    ],
  },
  {
    invariant: 'order_totals',
    what: 'a line dearer than the total says',
    subject: of('pending'),
    statements: ({ pending }) => [
      `UPDATE order_lines SET unit_price_minor = unit_price_minor + 1 WHERE order_id = '${pending}'`,
    ],
  },
  {
    invariant: 'money_bounded',
    what: 'a payment in another currency than the order',
    subject: of('pending'),
    statements: ({ pending }) => [
      `UPDATE payments SET currency = 'USD' WHERE order_id = '${pending}'`,
    ],
  },
  {
    invariant: 'money_bounded',
    what: 'an order without a payment',
    subject: of('pending'),
    statements: ({ pending }) => [`DELETE FROM payments WHERE order_id = '${pending}'`],
  },
  {
    invariant: 'money_matches_status',
    what: 'a cancelled order whose money was kept',
    subject: of('cancelledAfterCapture'),
    statements: ({ cancelledAfterCapture: id }) => [
      `DELETE FROM payment_operations WHERE order_id = '${id}' AND kind = 'refund'`,
      `DELETE FROM refunds WHERE order_id = '${id}'`,
      `UPDATE payments SET status = 'captured', refunded_minor = 0 WHERE order_id = '${id}'`,
    ],
  },
  {
    invariant: 'money_matches_status',
    what: 'a shipped order that was never charged',
    subject: of('shipped'),
    statements: ({ shipped: id }) => [
      `DELETE FROM payment_operations WHERE order_id = '${id}' AND kind = 'capture'`,
      `UPDATE payments SET status = 'authorized', captured_minor = 0 WHERE order_id = '${id}'`,
    ],
  },
  {
    invariant: 'payment_summary',
    what: 'an authorized payment without its operation',
    subject: of('placed'),
    statements: ({ placed }) => [
      `DELETE FROM payment_operations WHERE order_id = '${placed}' AND state = 'succeeded'`,
    ],
  },
  {
    invariant: 'refunds_counted',
    what: 'money on its way back that no refund asked for',
    subject: of('refunding'),
    statements: ({ refunding: id }) => [
      `UPDATE payments SET refunding_minor = refunding_minor + 1 WHERE order_id = '${id}'`,
    ],
  },
  {
    invariant: 'refunds_counted',
    what: 'a refund whose outcome its operations do not know',
    subject: () => 'rfd_',
    statements: ({ refunding: id }) => [
      `UPDATE refunds SET status = 'failed', failure_code = 'x', settled_at = now()
       WHERE order_id = '${id}'`,
      `UPDATE payments SET refunding_minor = 0 WHERE order_id = '${id}'`,
    ],
  },
  {
    invariant: 'refunds_move',
    what: 'a refund that nobody started',
    subject: () => 'rfd_',
    statements: ({ refunding: id }) => [
      `UPDATE refunds SET workflow_started_at = NULL, requested_at = now() - interval '1 hour'
       WHERE order_id = '${id}'`,
    ],
  },
  {
    invariant: 'intents_first',
    what: 'a capture nobody wrote down before',
    subject: ({ shipped }) => `${shipped}/capture`,
    statements: ({ shipped }) => [
      `DELETE FROM payment_operations
       WHERE order_id = '${shipped}' AND kind = 'capture' AND state = 'requested'`,
    ],
  },
  {
    invariant: 'intents_first',
    what: "an intent under another order's key",
    subject: ({ placed }) => `${placed}/void`,
    statements: ({ shipped, placed }) => [
      `INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
       VALUES ('${shipped}', '${placed}/void', 'void', 'requested', 1, 'EUR')`,
    ],
  },
  {
    invariant: 'effects_once',
    what: 'a second parcel',
    subject: of('shipped'),
    statements: ({ shipped }) => [
      'ALTER TABLE shipments DROP CONSTRAINT shipments_order_id_key',
      `INSERT INTO shipments (id, order_id, correlation_id, status, tracking_number)
       VALUES ('shp_second', '${shipped}', 'second', 'shipped', 'SP2')`,
    ],
  },
  {
    invariant: 'effects_once',
    what: 'a second charge',
    also: ['payment_summary'],
    subject: of('shipped'),
    statements: ({ shipped }) => [
      'DROP INDEX payment_operations_one_per_order',
      `INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
       SELECT order_id, key || '/again', kind, state, amount_minor, currency
       FROM payment_operations WHERE order_id = '${shipped}' AND kind = 'capture' ORDER BY id`,
    ],
  },
  {
    invariant: 'shipment_matches_status',
    what: 'a shipped order whose parcel was cancelled',
    subject: of('shipped'),
    statements: ({ shipped }) => [
      `UPDATE shipments SET status = 'cancelled' WHERE order_id = '${shipped}'`,
    ],
  },
  {
    invariant: 'shipment_matches_status',
    what: 'a parcel still under way for a cancelled order',
    subject: of('shippingRefused'),
    statements: ({ shippingRefused }) => [
      `UPDATE shipments SET status = 'requested' WHERE order_id = '${shippingRefused}'`,
      `UPDATE orders SET updated_at = now() - interval '1 day' WHERE id = '${shippingRefused}'`,
    ],
  },
  {
    invariant: 'event_sequence',
    what: 'an event lost from the middle',
    subject: of('cancelledAfterCapture'),
    statements: ({ cancelledAfterCapture }) => [
      `DELETE FROM events WHERE order_id = '${cancelledAfterCapture}' AND type = 'order.stock_released'`,
    ],
  },
  {
    invariant: 'events_once',
    what: 'the same fact told twice',
    subject: of('cancelledAfterCapture'),
    statements: ({ cancelledAfterCapture }) => [
      'DROP INDEX events_order_id_once_key_key',
      `UPDATE events SET once_key = 'order.stock_released'
       WHERE order_id = '${cancelledAfterCapture}' AND type = 'order.payment_refunded'`,
    ],
  },
  {
    invariant: 'legal_transitions',
    what: 'an order paid before it was reserved',
    subject: of('shipped'),
    statements: ({ shipped }) => [
      `UPDATE events SET type = 'order.paid' WHERE order_id = '${shipped}' AND type = 'order.reserved'`,
    ],
  },
  {
    invariant: 'status_told',
    what: 'a status no event told of',
    subject: of('shipped'),
    statements: ({ shipped }) => [`UPDATE orders SET status = 'delivered' WHERE id = '${shipped}'`],
  },
  {
    invariant: 'answers_stored',
    what: 'an accepted order whose answer is gone',
    subject: of('shipped'),
    statements: ({ shipped }) => [`DELETE FROM idempotency_keys WHERE order_id = '${shipped}'`],
  },
  {
    invariant: 'answers_stored',
    what: 'a stored 201 of an order that does not exist',
    subject: () => 'lost',
    statements: () => [
      `INSERT INTO idempotency_keys
       (api_key_id, scope, key, fingerprint, order_id, state, lease_until, status, body, expires_at)
       VALUES ('k', 'orders', 'lost', 'f', 'ord_lost', 'done', now(), 201, '"ord_lost"', now() + interval '1 day')`,
    ],
  },
  {
    invariant: 'pending_ends',
    what: 'a hold past its time',
    subject: of('pending'),
    statements: ({ pending }) => [
      `UPDATE orders SET deadline_at = now() - interval '1 hour' WHERE id = '${pending}'`,
    ],
  },
  {
    invariant: 'started_in_time',
    what: 'a placed order nobody started',
    subject: of('placed'),
    statements: ({ placed }) => [
      `UPDATE orders SET workflow_started_at = NULL, placed_at = now() - interval '1 hour'
       WHERE id = '${placed}'`,
    ],
  },
  {
    invariant: 'authorizations_settled',
    what: 'money held for a week that nobody took or let go',
    subject: of('parkedBeforeCapture'),
    statements: ({ parkedBeforeCapture }) => [
      `UPDATE payments SET created_at = now() - interval '8 days', capture_before = NULL
       WHERE order_id = '${parkedBeforeCapture}'`,
    ],
  },
  {
    invariant: 'nothing_stuck',
    what: 'an order that has not moved for ten days',
    subject: of('reserved'),
    statements: ({ reserved }) => [
      `UPDATE orders SET updated_at = now() - interval '10 days' WHERE id = '${reserved}'`,
    ],
  },
  {
    invariant: 'parked_has_letter',
    what: 'a parked order nobody is asked about',
    subject: of('parkedBeforeCapture'),
    statements: ({ parkedBeforeCapture }) => [
      `DELETE FROM dead_letters WHERE order_id = '${parkedBeforeCapture}'`,
    ],
  },
  {
    invariant: 'parked_has_letter',
    what: 'a question about an order that went on',
    subject: of('shipped'),
    statements: ({ shipped }) => [
      `UPDATE dead_letters SET source = 'checkout', subject = 'shipOrder'
       WHERE order_id = '${shipped}' AND source = 'notification'`,
    ],
  },
  {
    invariant: 'dead_letters_sound',
    what: 'a letter of no tries',
    subject: () => 'dl_',
    statements: ({ parkedBeforeCapture }) => [
      'ALTER TABLE dead_letters DROP CONSTRAINT dead_letters_retry_count_check',
      `UPDATE dead_letters SET retry_count = 0 WHERE order_id = '${parkedBeforeCapture}'`,
    ],
  },
  {
    invariant: 'redrives_end',
    what: 'a redrive nothing came of',
    subject: () => 'dl_',
    statements: () => [
      `UPDATE dead_letters SET decided_at = now() - interval '1 day' WHERE status = 'redriven'`,
    ],
  },
  {
    invariant: 'events_delivered',
    what: 'a pump that stands still',
    subject: () => 'audit',
    statements: () => [
      `UPDATE subscriptions SET cursor_xid = '0', cursor_position = 0 WHERE name = 'audit'`,
      `UPDATE events SET time = now() - interval '1 hour' WHERE type = 'order.created'`,
    ],
  },
  {
    invariant: 'events_handled',
    what: 'an event passed by and not had',
    subject: ({ shipped }) => shipped,
    statements: ({ shipped }) => [
      `DELETE FROM audit_log WHERE subject = '${shipped}' AND action = 'order.reserved'`,
      `UPDATE events SET time = now() - interval '1 hour'
       WHERE order_id = '${shipped}' AND type = 'order.reserved'`,
    ],
  },
  {
    invariant: 'sales_counted_once',
    what: 'a sale counted twice',
    subject: () => 'mug-white',
    statements: () => [
      `UPDATE analytics_hourly SET orders = orders + 1, units = units + 2 WHERE sku = 'mug-white'`,
    ],
  },
  {
    invariant: 'callbacks_taken',
    what: 'a callback nobody acted on',
    subject: () => 'warehouse msg_lost',
    statements: () => [
      `INSERT INTO inbox (source, id, type, payload, received_at)
       VALUES ('warehouse', 'msg_lost', 'shipment.shipped', '{}', now() - interval '1 hour')`,
    ],
  },
  {
    invariant: 'decisions_audited',
    what: 'a decision without its audit entry',
    subject: () => 'dl_',
    statements: () => [`DELETE FROM audit_log WHERE action = 'dead_letter.redriven'`],
  },
  {
    invariant: 'decisions_audited',
    what: 'a subscription paused by nobody',
    subject: () => 'analytics',
    statements: () => [`UPDATE subscriptions SET paused = true WHERE name = 'analytics'`],
  },
  {
    invariant: 'cursors_within_log',
    what: 'a cursor from another cluster',
    subject: () => 'audit',
    statements: () => [
      `UPDATE subscriptions SET cursor_xid = '9000000000000000000' WHERE name = 'audit'`,
    ],
  },
  {
    invariant: 'guards_in_place',
    what: 'an append-only table without its guard',
    subject: () => 'events_append_only',
    statements: () => ['ALTER TABLE events DISABLE TRIGGER events_append_only'],
  },
];

/** Writes the violation; triggers and foreign keys do not stop it. */
export async function plant(client: pg.Client, planting: Planting, fates: Fates): Promise<void> {
  await client.query('SET session_replication_role = replica');
  for (const statement of planting.statements(fates)) await client.query(statement);
}
