import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { orderNumber } from '../../domain/order-number.ts';
import type { Order, OrderStatus } from '../../domain/order.ts';
import { findStock } from '../../prisma/catalog/stock.ts';
import {
  countOrders,
  listOrders,
  MAX_MATCHES,
  type OrderFilter,
} from '../../prisma/orders/list-orders.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import {
  recordCancelled,
  recordCancelling,
  recordReserved,
  recordShipped,
} from '../../prisma/orders/record-steps.ts';
import { transitionOrder } from '../../prisma/orders/transition.ts';
import { eraseOrder } from '../../prisma/privacy/erase.ts';
import { claimOf, draftOf, useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase();
const ADA = { email: 'ada.byron@example.com', name: 'Ada King Lovelace', phone: '+49 30 5550199' };
const JOSE = { email: 'post@josé.example', name: 'José  Müller', phone: '(040) 123/4567' };

let ada: Order;
let jose: Order;
beforeAll(async () => {
  ada = await orderOf(ADA);
  jose = await orderOf({ ...JOSE, email: 'post@jose.example' });
});

async function orderOf(customer: typeof ADA): Promise<Order> {
  const opened = await openOrder(shop.db, claimOf(), { ...draftOf(), customer });
  if (opened.kind !== 'opened') throw new Error(opened.kind);
  return opened.order;
}

async function shipped(trackingNumber: string): Promise<OrderId> {
  const { id } = await shop.place();
  await recordReserved(shop.db, id);
  await shop.db.$transaction((tx) =>
    transitionOrder(tx, { orderId: id, type: 'order.paid', to: 'paid' }),
  );
  await shop.db.shipment.create({
    data: { id: `shp_${id}`, orderId: id, correlationId: id, status: 'requested' },
  });
  await recordShipped(shop.db, id, { carrier: 'Test Parcel', trackingNumber });
  return id;
}

async function cancelled(): Promise<OrderId> {
  const { id } = await shop.place();
  await recordCancelling(shop.db, id, { reason: 'requested_by_customer', request: null });
  await recordCancelled(shop.db, id, 'requested_by_customer');
  return id;
}

async function idsOf(filter: OrderFilter, limit = 100): Promise<readonly OrderId[]> {
  const listed = await listOrders(shop.db, filter, { limit });
  if (listed.kind !== 'listed') throw new Error(listed.kind);
  return listed.orders.map(({ id }) => id);
}

describe('the search of orders', () => {
  test.each([
    'ada.byron@example.com',
    'ADA.Byron@',
    'Ada',
    'ada king',
    'king love',
    'LOVELACE',
    'lóvelace',
    '+49 30 5550199',
    '030 / 555-0199',
    '0199',
  ])('an order is found by %s', async (search) => {
    expect(await idsOf({ search })).toEqual([ada.id]);
  });

  test.each(['josé müller', 'Jose M', ' MULLER ', 'post@jose.example', '0401234567', '4567'])(
    'an order of a person with accents is found by %s',
    async (search) => {
      expect(await idsOf({ search })).toEqual([jose.id]);
    },
  );

  test.each([
    'byron',
    'example.com',
    'velace',
    '555',
    '99',
    '%',
    '_',
    'ada  lovelace',
    'ord_',
    '#',
    '*',
  ])('no order is found by %s', async (search) => {
    expect(await idsOf({ search })).toEqual([]);
  });

  test('an order is found by its number, as it is shown, said or mistyped, and by the beginning of its id', async () => {
    const number = orderNumber(ada.id);
    const mistyped = number.replaceAll('0', 'O').replaceAll('1', 'l').replaceAll('-', ' ');
    const written = [number, number.toLowerCase(), number.replaceAll('-', ''), mistyped];
    for (const search of [...written, ada.id, ada.id.slice(0, -1), ada.id.toUpperCase()]) {
      expect(await idsOf({ search }), search).toEqual([ada.id]);
    }
  });

  test('a shipped order is found by its tracking number or the beginning of it', async () => {
    const id = await shipped('1Z 999 AA1');
    for (const search of ['1Z999AA1', '1z 999', '1z9'])
      expect(await idsOf({ search })).toEqual([id]);
  });

  test('a search is combined with the other filters', async () => {
    expect(await idsOf({ search: 'ada', statuses: ['placed', 'paid'] })).not.toContain(ada.id);
    expect(await idsOf({ search: 'ada', statuses: ['pending'] })).toContain(ada.id);
    expect(await idsOf({ search: 'ada', email: ADA.email })).toEqual([ada.id]);
  });

  test('an order of an erased person is found by nothing of the person', async () => {
    const id = await shipped('TRACK-77');
    const { customer } = draftOf();
    const known = [customer.email, customer.name, 'track-77'];
    for (const search of known) expect(await idsOf({ search }), search).toContain(id);
    expect(await eraseOrder(shop.db, id, 'system')).toBe(true);
    for (const search of [...known, 'erased']) {
      expect(await idsOf({ search }), search).not.toContain(id);
    }
    expect(await shop.db.orderTerm.count({ where: { orderId: id } })).toBe(0);
    expect(await idsOf({ search: id })).toEqual([id]);
  });

  test('a name of the largest size, whatever it is made of, is stored and found', async () => {
    for (const letter of ['ﷺ', '𐐷', 'a b ']) {
      const name = letter.repeat(200).slice(0, 200).trim();
      const { id } = await orderOf({ ...ADA, name });
      expect(await idsOf({ search: name.slice(0, 100) })).toContain(id);
    }
  });

  test('a search with too many matches is refused, and one match less is listed', async () => {
    const planted = (term: string, count: number) => shop.db.$executeRaw`
      INSERT INTO order_terms (order_id, term) SELECT 'planted ' || n, ${term} || n
      FROM generate_series(1, ${count}::int) AS n`;
    await planted('zuse', MAX_MATCHES);
    expect(await listOrders(shop.db, { search: 'zuse' }, { limit: 1 })).toMatchObject({
      kind: 'listed',
    });
    await planted('zusex', 1);
    expect(await listOrders(shop.db, { search: 'zuse' }, { limit: 1 })).toEqual({
      kind: 'too_many',
    });
  });
});

describe('the list of orders', () => {
  test('an order in the list is the order as it is read alone', async () => {
    const listed = await listOrders(shop.db, { email: ADA.email }, { limit: 10 });
    if (listed.kind !== 'listed') throw new Error(listed.kind);
    for (const order of listed.orders) expect(order).toEqual(await findOrder(shop.db, order.id));
    expect(listed.orders).not.toEqual([]);
  });

  test('orders of several statuses are listed newest first, page by page, each once', async () => {
    const expected: OrderId[] = [];
    for (const make of [() => shop.open(), cancelled, () => shop.open(), cancelled]) {
      const made = await make();
      expected.unshift(typeof made === 'string' ? made : made.id);
    }
    await shop.place();
    const filter = { statuses: ['pending', 'cancelled'] as const };
    const seen: OrderId[] = [];
    let startingAfter: OrderId | undefined;
    do {
      const page = await listOrders(shop.db, filter, { limit: 3, startingAfter });
      if (page.kind !== 'listed') throw new Error(page.kind);
      seen.push(...page.orders.map(({ id }) => id));
      startingAfter = page.hasMore ? seen.at(-1) : undefined;
    } while (startingAfter !== undefined);
    expect(seen.slice(0, 4)).toEqual(expected);
    expect(new Set(seen).size).toBe(seen.length);
    const all = { status: { in: [...filter.statuses] } };
    expect(seen).toHaveLength(await shop.db.order.count({ where: all }));
  });

  test('orders that have not changed since a time are listed, and those that have are not', async () => {
    const { id } = await shop.place();
    const { updatedAt } = await shop.db.order.findUniqueOrThrow({ where: { id } });
    const updatedBefore = (ms: number) => ({
      updatedBefore: new Date(updatedAt.getTime() + ms).toISOString(),
    });
    expect(await idsOf(updatedBefore(0))).not.toContain(id);
    expect(await idsOf(updatedBefore(1))).toContain(id);
    await recordReserved(shop.db, id);
    expect(await idsOf(updatedBefore(1))).not.toContain(id);
  });
});

test('counts have every open order, and of the settled ones those created within a day', async () => {
  const before = (await countOrders(shop.db)).byStatus;
  await shop.place();
  const [young, old] = [await cancelled(), await cancelled()];
  const [openAgo, agedId] = [await shop.place(), 'ord_01k0000000aaaaaaaaaaaaaaaa'];
  await shop.db.order.update({ where: { id: openAgo.id }, data: { createdAt: new Date(0) } });
  // Without what belongs to it: a row under an id of last year.
  await shop.db.$executeRaw`
    INSERT INTO orders SELECT (jsonb_populate_record(o, jsonb_build_object('id', ${agedId}::text))).*
    FROM orders o WHERE id = ${old}`;
  const { byStatus, settledSince } = await countOrders(shop.db);
  const more = (status: OrderStatus, count: number) => (before[status] ?? Number.NaN) + count;
  expect(byStatus).toEqual({
    ...before,
    placed: more('placed', 2),
    cancelled: more('cancelled', 2),
  });
  expect(Date.now() - Date.parse(settledSince)).toBeGreaterThanOrEqual(86_400_000);
  expect(await idsOf({ statuses: ['cancelled'] })).toEqual(expect.arrayContaining([young, agedId]));
  await shop.db.order.delete({ where: { id: agedId } });
});

describe('the order number', () => {
  /** As if the ids of so many attempts ended like another order's. A sequence keeps its count in a rollback. */
  const takeNumbers = async (count: number) => {
    await shop.db.$executeRaw`DROP TRIGGER IF EXISTS take_number ON orders`;
    await shop.db.$executeRaw`DROP SEQUENCE IF EXISTS attempts`;
    await shop.db.$executeRaw`CREATE SEQUENCE attempts`;
    await shop.db.$executeRaw`
      CREATE OR REPLACE FUNCTION take_number() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF nextval('attempts') <= TG_ARGV[0]::int THEN
          NEW.id := left(NEW.id, 21) || right((SELECT min(id) FROM orders), 9);
        END IF;
        RETURN NEW;
      END $$`;
    await shop.db.$executeRawUnsafe(
      `CREATE TRIGGER take_number BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION take_number(${count})`,
    );
  };
  afterEach(() => shop.db.$executeRaw`DROP TRIGGER take_number ON orders`);

  test('an order whose number is taken is written under another id, with its key and its stock once', async () => {
    const [sku, before] = [await shop.stock(5), await shop.db.order.count()];
    await takeNumbers(2);
    const order = await shop.open([{ sku, quantity: 2 }]);
    expect(await findOrder(shop.db, order.id)).toEqual(order);
    expect(await shop.db.order.count()).toBe(before + 1);
    expect(await shop.db.idempotencyKey.count({ where: { orderId: order.id } })).toBe(1);
    expect(await findStock(shop.db, sku)).toMatchObject({ held: 2 });
  });

  test('an order whose number is taken again and again fails and leaves nothing behind', async () => {
    const [sku, before] = [await shop.stock(5), await shop.db.order.count()];
    await takeNumbers(3);
    await expect(shop.open([{ sku, quantity: 2 }])).rejects.toThrow();
    expect(await shop.db.order.count()).toBe(before);
    expect(await findStock(shop.db, sku)).toMatchObject({ held: 0 });
  });
});
