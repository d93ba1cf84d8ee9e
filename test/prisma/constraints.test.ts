import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Order } from '../../domain/order.ts';
import { useSeededDatabase } from './seeded-database.ts';

/** What the database itself refuses, whatever the code above it does. */
const shop = useSeededDatabase();
let order: Order;
let client: pg.Client;

beforeAll(async () => {
  order = await shop.place();
  client = new pg.Client({ connectionString: shop.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
});

describe('stock', () => {
  test.each([
    ['more units held than on hand', 'held = on_hand + 1', 'stock_held_within_on_hand'],
    ['fewer units on hand than held', 'on_hand = held - 1', 'stock_held_within_on_hand'],
    ['a negative hold', 'held = -1', 'stock_held_check'],
  ])('the stock table refuses %s', async (_, change, constraint) => {
    const sql = `UPDATE stock SET ${change} WHERE sku = 'mug-white'`;
    expect(await refusalOf(sql)).toMatchObject({ code: '23514', constraint });
  });

  test('the database refuses a second shipped movement of one order and product', async () => {
    const leave = `INSERT INTO stock_movements (sku, delta, kind, reason, order_id, actor)
      VALUES ('mug-white', -2, 'shipped', 'order shipped', $1, 'test')`;
    await client.query(leave, ['ord_once']);
    expect(await refusalOf(leave, ['ord_once'])).toMatchObject({
      code: '23505',
      constraint: 'stock_movements_order_id_sku_kind_refund_id_key',
    });
  });
});

describe('customers', () => {
  test.each([
    ['consent to SMS without a phone', 'sms_consent = true', 'customers_consent_has_phone'],
    ['an erased customer with a language', `language = 'de', email = NULL`, 'customers_erased'],
    ['a language that is none', `language = 'German'`, 'customers_language_check'],
  ])('the customers table refuses %s', async (_, change, constraint) => {
    const sql = `UPDATE customers SET phone = NULL, ${change} WHERE id = $1`;
    expect(await refusalOf(sql, [order.customer.id])).toMatchObject({ code: '23514', constraint });
  });
});

describe('payments', () => {
  test.each([
    ['a capture above the authorized amount', 'captured_minor = amount_minor + 1', 'authorized'],
    ['a negative capture', 'captured_minor = -1', 'authorized'],
    ['a refund without a capture', 'refunded_minor = 1', 'captured'],
    [
      'a refund above the captured amount',
      'captured_minor = 100, refunded_minor = 101',
      'captured',
    ],
  ])('the payments table refuses %s', async (_, change, within) => {
    const sql = `UPDATE payments SET ${change} WHERE order_id = $1`;
    const constraint = `payments_${within === 'captured' ? 'refunded' : 'captured'}_within_${within}`;
    expect(await refusalOf(sql, [order.id])).toMatchObject({ code: '23514', constraint });
  });

  test('the payments table refuses a payment to be confirmed of which the provider knows nothing', async () => {
    const sql = `UPDATE payments SET status = 'requires_action', provider_reference = NULL
      WHERE order_id = $1`;
    const constraint = 'payments_action_has_reference';
    expect(await refusalOf(sql, [order.id])).toMatchObject({ code: '23514', constraint });
  });

  test('the database refuses a second payment for an order', async () => {
    const sql = `INSERT INTO payments (id, order_id, status, amount_minor, currency, payment_method)
      VALUES ('pay_second', $1, 'authorizing', 1, 'EUR', 'pm')`;
    const refusal = await refusalOf(sql, [order.id]);
    expect(refusal).toMatchObject({ constraint: 'payments_order_id_key' });
  });

  test.each(['authorize', 'capture', 'void'])(
    'the database refuses a second successful %s of an order under another key',
    async (kind) => {
      const other = await shop.place();
      const sql = `INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
        VALUES ($1, $2, $3, 'succeeded', 200, 'EUR')`;
      // A placed order has its authorization already.
      if (kind !== 'authorize') await client.query(sql, [other.id, `${other.id}/first`, kind]);
      expect(await refusalOf(sql, [other.id, `${other.id}/other`, kind])).toMatchObject({
        code: '23505',
        constraint: 'payment_operations_one_per_order',
      });
    },
  );

  test('the database refuses a second payment operation with the same key and state', async () => {
    const sql = `INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
      VALUES ($1, $2, 'refund', 'requested', 200, 'EUR')`;
    await client.query(sql, [order.id, 'refund-once']);
    expect(await refusalOf(sql, [order.id, 'refund-once'])).toMatchObject({
      constraint: 'payment_operations_key_state_key',
    });
  });
});

describe('orders', () => {
  test.each([
    ['needs_attention without a waiting step', "status = 'needs_attention'"],
    ['a waiting step without needs_attention', "attention_step = 'capturePayment'"],
    ['cancelling without a reason', "status = 'cancelling'"],
    ['a total below zero', 'total_minor = -1'],
    ['more store credit than the total', 'credit_minor = total_minor + 1'],
    ['an invalid currency', "currency = 'euro'"],
  ])('the orders table refuses %s', async (_, change) => {
    const sql = `UPDATE orders SET ${change} WHERE id = $1`;
    expect(await refusalOf(sql, [order.id])).toMatchObject({ code: '23514', table: 'orders' });
  });

  test('the orders table refuses an unknown status', async () => {
    const sql = `UPDATE orders SET status = 'lost' WHERE id = $1`;
    // invalid_text_representation: no value of the enum.
    expect(await refusalOf(sql, [order.id])).toMatchObject({ code: '22P02' });
  });

  test('the database refuses a shipped parcel without a tracking number', async () => {
    const sql = `INSERT INTO shipments (id, order_id, correlation_id, status)
      VALUES ('shp_1', $1, 'c', 'shipped')`;
    expect(await refusalOf(sql, [order.id])).toMatchObject({ code: '23514', table: 'shipments' });
  });

  test('the database refuses a second event with the same sequence number of an order', async () => {
    const sql = `INSERT INTO events (id, type, order_id, seq, correlation_id, data)
      VALUES (gen_random_uuid(), 'order.shipped', $1, 1, 'c', '{}')`;
    const refusal = await refusalOf(sql, [order.id]);
    expect(refusal).toMatchObject({ constraint: 'events_order_id_seq_key' });
  });
});

describe('history', () => {
  test.each([
    ['UPDATE', 'events', "UPDATE events SET type = 'order.placed'"],
    ['UPDATE', 'payment_operations', 'UPDATE payment_operations SET amount_minor = 1'],
    ['DELETE', 'payment_operations', 'DELETE FROM payment_operations'],
    ['UPDATE', 'stock_movements', 'UPDATE stock_movements SET delta = 1'],
    ['DELETE', 'stock_movements', 'DELETE FROM stock_movements'],
  ])('the database refuses %s on the append-only table %s', async (_verb, table, sql) => {
    // restrict_violation: the append-only trigger, not a reference from another table.
    const refusal = await refusalOf(sql);
    expect(refusal).toMatchObject({ code: '23001', message: `${table} is append-only` });
  });
});

/** Runs the statement, which must fail, and gives PostgreSQL's error. */
async function refusalOf(sql: string, values: readonly unknown[] = []): Promise<unknown> {
  return client.query(sql, [...values]).then(
    () => 'not refused',
    (error: unknown) => error,
  );
}
