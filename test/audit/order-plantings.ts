/** Violations of what holds for stock, orders, money and parcels. */
import type { Planting } from './planting.ts';

export const ORDER_PLANTINGS: readonly Planting[] = [
  {
    invariant: 'stock_bounds',
    what: 'fewer units on hand than are held',
    also: ['never_oversold'],
    subject: 'poster-a2',
    statements: [
      'ALTER TABLE stock DROP CONSTRAINT stock_held_within_on_hand',
      `INSERT INTO stock_movements (sku, delta, kind, reason, actor)
       SELECT sku, 1 - on_hand, 'adjusted', 'planted', 'test' FROM stock WHERE sku = 'poster-a2'`,
      `UPDATE stock SET on_hand = 1 WHERE sku = 'poster-a2'`,
    ],
  },
  {
    invariant: 'stock_conserved',
    what: 'a unit without a stock movement',
    subject: 'mug-white',
    statements: [`UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'mug-white'`],
  },
  {
    invariant: 'holds_counted',
    what: 'a unit held for no order',
    subject: 'mug-white',
    statements: [`UPDATE stock SET held = held + 1 WHERE sku = 'mug-white'`],
  },
  {
    invariant: 'never_oversold',
    what: 'more units promised than were received',
    also: ['returned_units_shipped', 'shipped_units_removed'],
    subject: 'poster-a2',
    statements: [
      `INSERT INTO stock_movements (sku, delta, kind, reason, order_id, actor) VALUES
       ('poster-a2', -500, 'adjusted', 'planted', NULL, 'test'),
       ('poster-a2', 500, 'shipped', 'planted', ':pending', 'test')`,
    ],
  },
  {
    invariant: 'returned_units_shipped',
    what: 'a unit that came back by no line of a refund',
    subject: 'rfd_',
    statements: [
      `INSERT INTO stock_movements (sku, delta, kind, reason, order_id, refund_id, actor)
       SELECT 'mug-white', 1, 'returned', 'planted', order_id, id, 'test' FROM refunds
       WHERE order_id = ':refunding'`,
      `UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'mug-white'`,
    ],
  },
  {
    invariant: 'shipped_units_removed',
    what: 'a shipped unit that is still in stock',
    subject: ':shipped mug-white',
    statements: [
      `UPDATE stock_movements SET delta = -1 WHERE order_id = ':shipped' AND sku = 'mug-white'`,
      `UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'mug-white'`,
    ],
  },
  {
    invariant: 'lines_reserved',
    what: 'a released reservation of a paid line',
    subject: ':paid mug-white',
    statements: [
      `UPDATE reservations SET status = 'released' WHERE order_id = ':paid' AND sku = 'mug-white'`,
      `UPDATE stock SET held = held - 2 WHERE sku = 'mug-white'`,
    ],
  },
  {
    invariant: 'lines_reserved',
    what: 'a cancelled order that holds units',
    subject: ':cancelledAfterCapture mug-white',
    statements: [
      `UPDATE reservations SET status = 'reserved'
       WHERE order_id = ':cancelledAfterCapture' AND sku = 'mug-white'`,
      `UPDATE stock SET held = held + 2 WHERE sku = 'mug-white'`,
    ],
  },
  {
    invariant: 'lines_reserved',
    what: 'a reservation of more than the warehouse has',
    also: ['holds_counted'],
    subject: ':sentInPart mug-white',
    statements: [`UPDATE reservations SET quantity = 2 WHERE order_id = ':sentInPart'`],
  },
  {
    invariant: 'partial_orders',
    what: 'an order that was to be sent whole',
    statements: [
      'ALTER TABLE orders DROP CONSTRAINT orders_due_less_if_allowed',
      `UPDATE orders SET fulfillment = 'all_or_nothing' WHERE id = ':sentInPart'`,
    ],
  },
  {
    invariant: 'partial_orders',
    what: 'a line that is not sent of an order that costs its total',
    also: ['lines_reserved'],
    statements: [`UPDATE order_lines SET reserved_quantity = 1 WHERE order_id = ':paid'`],
  },
  {
    invariant: 'money_matches_status',
    what: 'an order that was charged for what is not sent',
    also: ['payment_summary'],
    statements: [
      `UPDATE payments SET captured_minor = amount_minor - 1 WHERE order_id = ':shipped'`,
    ],
  },
  {
    invariant: 'credit_of_orders',
    what: 'credit that is kept for what is not sent',
    also: ['credit_balances'],
    statements: [
      `DELETE FROM credit_entries WHERE order_id = ':sentInPart' AND kind = 'given_back'`,
    ],
  },
  {
    invariant: 'order_totals',
    what: 'lines that cost more than the total',
    statements: [
      `UPDATE order_lines SET unit_price_minor = unit_price_minor + 1 WHERE order_id = ':pending'`,
    ],
  },
  {
    invariant: 'order_totals',
    what: 'an adjustment that the total does not have',
    statements: [
      `INSERT INTO order_adjustments (order_id, position, kind, label, amount_minor)
       VALUES (':pending', 0, 'shipping', 'Standard shipping', 490)`,
    ],
  },
  {
    invariant: 'quote_totals',
    what: 'a quote of another total than its lines have',
    subject: 'quo_',
    statements: [
      `INSERT INTO quotes (id, currency, lines, adjustments, total_minor, expires_at)
       VALUES ('quo_planted', 'EUR', '[{"sku": "mug-white", "quantity": 2, "unitPriceMinor": 1200}]',
         '[{"kind": "discount", "amountMinor": -400}]', 2400, now() + interval '15 min')`,
    ],
  },
  {
    invariant: 'one_price_per_currency',
    what: 'a second price in euros',
    subject: 'mug-white EUR',
    statements: [`INSERT INTO product_prices VALUES ('mug-white', 'EUR', 1300)`],
  },
  {
    invariant: 'disputes_counted',
    what: 'a dispute that the payment does not count',
    statements: [
      `INSERT INTO payment_cases (id, order_id, kind, status, amount_minor, currency, reason, is_open, opened_at)
       VALUES ('dp_planted', ':shipped', 'dispute', 'needs_response', 100, 'EUR', 'fraudulent', true, now())`,
    ],
  },
  {
    invariant: 'money_bounded',
    what: 'a payment in a different currency',
    statements: [`UPDATE payments SET currency = 'USD' WHERE order_id = ':pending'`],
  },
  {
    invariant: 'money_bounded',
    what: 'an order without a payment',
    statements: [`DELETE FROM payments WHERE order_id = ':pending'`],
  },
  {
    invariant: 'money_matches_status',
    what: 'a cancelled order without its refund',
    statements: [
      `DELETE FROM payment_operations WHERE order_id = ':cancelledAfterCapture' AND kind = 'refund'`,
      `DELETE FROM refunds WHERE order_id = ':cancelledAfterCapture'`,
      `UPDATE payments SET status = 'captured', refunded_minor = 0 WHERE order_id = ':cancelledAfterCapture'`,
    ],
  },
  {
    invariant: 'money_matches_status',
    what: 'a cancelled order whose money came back from a bank, which waits for no decision',
    statements: [
      `DELETE FROM payment_operations WHERE order_id = ':cancelledAfterCapture' AND kind = 'refund'`,
      `DELETE FROM refunds WHERE order_id = ':cancelledAfterCapture'`,
      `UPDATE payments SET status = 'captured', refunded_minor = 0 WHERE order_id = ':cancelledAfterCapture'`,
      `INSERT INTO payment_cases (id, order_id, kind, status, amount_minor, currency, reason, is_open, opened_at, closed_at)
       SELECT 'dp_won', order_id, 'dispute', 'won', captured_minor, currency, 'fraudulent', false, now(), now()
       FROM payments WHERE order_id = ':cancelledAfterCapture'`,
    ],
  },
  {
    invariant: 'money_matches_status',
    what: 'a shipped order that was never charged',
    statements: [
      `DELETE FROM payment_operations WHERE order_id = ':shipped' AND kind = 'capture'`,
      `UPDATE payments SET status = 'authorized', captured_minor = 0 WHERE order_id = ':shipped'`,
    ],
  },
  {
    invariant: 'money_matches_status',
    what: 'an expired order that waits for its shopper',
    statements: [
      `UPDATE payments SET status = 'requires_action' WHERE order_id = ':expiredUnconfirmed'`,
    ],
  },
  {
    invariant: 'payment_summary',
    what: 'a payment that was authorized and waits for its shopper',
    statements: [
      `INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
       SELECT order_id, key, kind, 'succeeded', amount_minor, currency FROM payment_operations
       WHERE order_id = ':waitingForShopper'`,
    ],
  },
  {
    invariant: 'payment_summary',
    what: 'a payment without its operation',
    statements: [
      `DELETE FROM payment_operations WHERE order_id = ':placed' AND state = 'succeeded'`,
    ],
  },
  {
    invariant: 'refunds_counted',
    what: 'a refunding amount without a refund',
    statements: [
      `UPDATE payments SET refunding_minor = refunding_minor + 1 WHERE order_id = ':refunding'`,
    ],
  },
  {
    invariant: 'refunds_counted',
    what: 'a failed refund without its operation',
    subject: 'rfd_',
    statements: [
      `UPDATE refunds SET status = 'failed', failure_code = 'x', settled_at = now()
       WHERE order_id = ':refunding'`,
      `UPDATE payments SET refunding_minor = 0 WHERE order_id = ':refunding'`,
    ],
  },
  {
    invariant: 'refund_lines',
    what: 'a refund of more than its lines',
    subject: 'rfd_',
    statements: [
      `INSERT INTO refund_lines (refund_id, sku, quantity, amount_minor)
       SELECT id, 'mug-white', 1, amount_minor - 1 FROM refunds WHERE order_id = ':refunding'`,
    ],
  },
  {
    invariant: 'refund_lines',
    what: 'a line refunded for more units than were ordered',
    subject: ':refunding mug-white',
    statements: [
      `INSERT INTO refund_lines (refund_id, sku, quantity, amount_minor)
       SELECT id, 'mug-white', 1000, amount_minor FROM refunds WHERE order_id = ':refunding'`,
    ],
  },
  {
    invariant: 'refunds_progress',
    what: 'a refund without a workflow',
    subject: 'rfd_',
    statements: [
      `UPDATE refunds SET workflow_started_at = NULL, requested_at = now() - interval '1 hour'
       WHERE order_id = ':refunding'`,
    ],
  },
  {
    invariant: 'refunds_progress',
    what: 'a refund that a cancelled order still claims',
    subject: 'rfd_planted',
    statements: [
      `UPDATE payments SET refunding_minor = captured_minor
       WHERE order_id = ':refundedAndReleasedManually'`,
      `INSERT INTO refunds (id, order_id, key, cause, status, amount_minor, currency, requested_at)
       SELECT 'rfd_planted', order_id, order_id || '/refund', 'order_cancelled', 'requested',
         captured_minor, currency, now() - interval '1 hour'
       FROM payments WHERE order_id = ':refundedAndReleasedManually'`,
      `INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
       SELECT order_id, key, 'refund', 'requested', amount_minor, currency
       FROM refunds WHERE id = 'rfd_planted'`,
    ],
  },
  {
    invariant: 'intents_first',
    what: 'a capture without a recorded intent',
    subject: ':shipped/capture',
    statements: [
      `DELETE FROM payment_operations
       WHERE order_id = ':shipped' AND kind = 'capture' AND state = 'requested'`,
    ],
  },
  {
    invariant: 'intents_first',
    what: "an intent under another order's key",
    subject: ':placed/void',
    statements: [
      `INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
       VALUES (':shipped', ':placed/void', 'void', 'requested', 1, 'EUR')`,
    ],
  },
  {
    invariant: 'effects_once',
    what: 'a second parcel',
    statements: [
      'ALTER TABLE shipments DROP CONSTRAINT shipments_order_id_key',
      `INSERT INTO shipments (id, order_id, correlation_id, status, tracking_number)
       VALUES ('shp_second', ':shipped', 'second', 'shipped', 'SP2')`,
    ],
  },
  {
    invariant: 'effects_once',
    what: 'a second charge',
    also: ['payment_summary'],
    statements: [
      'DROP INDEX payment_operations_one_per_order',
      `INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
       SELECT order_id, key || '/again', kind, state, amount_minor, currency
       FROM payment_operations WHERE order_id = ':shipped' AND kind = 'capture' ORDER BY id`,
    ],
  },
  {
    invariant: 'shipment_matches_status',
    what: 'a cancelled parcel of a shipped order',
    statements: [`UPDATE shipments SET status = 'cancelled' WHERE order_id = ':shipped'`],
  },
  {
    invariant: 'shipment_matches_status',
    what: 'an open parcel of a cancelled order',
    statements: [
      `UPDATE shipments SET status = 'requested' WHERE order_id = ':shippingRefused'`,
      `UPDATE orders SET updated_at = now() - interval '1 day' WHERE id = ':shippingRefused'`,
    ],
  },
  {
    invariant: 'money_bounded',
    what: 'a payment with credit that its order does not have',
    also: ['credit_of_orders', 'money_matches_status'],
    statements: [`UPDATE payments SET credit_minor = 1 WHERE order_id = ':shipped'`],
  },
  {
    invariant: 'refunds_counted',
    what: 'credit of a refund that the payment does not count',
    also: ['credit_of_orders'],
    statements: [`UPDATE payments SET credited_minor = 0 WHERE order_id = ':refundedToCredit'`],
  },
  {
    invariant: 'credit_balances',
    what: 'a balance that the ledger does not give',
    statements: ['UPDATE credit_accounts SET balance_minor = balance_minor + 1'],
  },
  {
    invariant: 'credit_of_orders',
    what: 'a cancelled order that kept its credit',
    also: ['credit_balances'],
    statements: [
      `DELETE FROM credit_entries WHERE order_id = ':cancelledWithCredit' AND kind = 'given_back'`,
    ],
  },
  {
    invariant: 'credit_of_orders',
    what: 'an order that spent its credit twice',
    also: ['credit_balances'],
    statements: [
      `INSERT INTO credit_entries (id, customer_id, currency, kind, amount_minor, order_id, key, actor)
       SELECT 'cre_second', customer_id, currency, kind, amount_minor, order_id, 'second', actor
       FROM credit_entries WHERE order_id = ':paidByCredit'`,
    ],
  },
  {
    invariant: 'credit_of_orders',
    what: 'a refund to credit that is not in the ledger',
    also: ['credit_balances'],
    statements: [`DELETE FROM credit_entries WHERE order_id = ':refundedToCredit'`],
  },
  {
    invariant: 'credit_expires',
    what: 'a grant that the sweep has left',
    statements: [`UPDATE credit_accounts SET next_expiry_at = now() - interval '1 day'`],
  },
  {
    invariant: 'credit_expires',
    what: 'a grant that no sweep will look at',
    statements: ['UPDATE credit_accounts SET next_expiry_at = NULL'],
  },
];
