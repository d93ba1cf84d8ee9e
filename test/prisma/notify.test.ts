import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { orderTransaction, transitionOrder } from '../../prisma/orders/transition.ts';
import { eventually } from '../support/eventually.ts';
import { placedOrder } from '../support/orders.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();

/** The ids of all orders that are notified from now on. */
async function listen(): Promise<string[]> {
  const client = new pg.Client({ connectionString: shop.databaseUrl });
  const notified: string[] = [];
  client.on('notification', ({ payload = '' }) => notified.push(payload));
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('LISTEN holdfast_orders');
  return notified;
}

const change = (orderId: OrderId) =>
  orderTransaction(shop.db, orderId, (tx) =>
    transitionOrder(tx, { orderId, type: 'order.reserved', to: 'reserved' }),
  );

test('a transaction that changes an order sends no notification, so that no commit waits for another', async () => {
  const triggers = await shop.db.$queryRaw`
    SELECT tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid IN ('events'::regclass, 'orders'::regclass) AND prosrc LIKE '%notify%'`;
  expect(triggers).toEqual([]);
});

test('every order that has changed is notified once its change is committed', async () => {
  const orders = [await placedOrder(shop), await placedOrder(shop), await placedOrder(shop)];
  const notified = await listen();
  await Promise.all(orders.map(change));
  await eventually(() => expect(notified).toEqual(expect.arrayContaining(orders)));
});
