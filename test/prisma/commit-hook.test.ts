import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import type { Written } from '../../prisma/client/commit-hook.ts';
import { recordReserved } from '../../prisma/orders/record-steps.ts';
import { findPayment, recordIntent } from '../../prisma/payments/payments.ts';
import { markStarted } from '../../prisma/orders/orders.ts';
import { useSeededDatabase } from './seeded-database.ts';

/** The calls of a watcher, compared with what a second connection reads at that moment. */
const shop = useSeededDatabase();
let db: Database;
let calls: (Written & { readonly moment: string })[] = [];
let failAt: string | null = null;
beforeAll(async () => {
  db = createDatabase({
    url: shop.url,
    poolSize: 2,
    onCommit: (written, moment) => {
      if (moment === failAt) throw new Error('the process is gone');
      calls.push({ ...written, moment });
    },
  });
});
beforeEach(() => {
  calls = [];
  failAt = null;
});
afterAll(async () => {
  await closeDatabase(db);
});

test('a commit watcher sees the event of a transaction once before and once after its commit', async () => {
  const { id: orderId } = await shop.place();
  await recordReserved(db, orderId);
  expect(calls.map(({ events, moment }) => [...events, moment])).toEqual([
    ['order.reserved', 'before'],
    ['order.reserved', 'after'],
  ]);
});

test('a commit watcher sees a single statement as a commit named by its table', async () => {
  const { id: orderId } = await shop.place();
  await markStarted(db, orderId);
  expect(calls.map(({ writes, moment }) => [...writes, moment])).toEqual([
    ['orders.update', 'before'],
    ['orders.update', 'after'],
  ]);
  const payment = await findPayment(shop.db, orderId);
  if (!payment) throw new Error('the order has no payment');
  calls = [];
  await recordIntent(db, payment, 'capture');
  expect(calls.map(({ writes }) => writes)).toEqual([
    ['payment_operations.insert'],
    ['payment_operations.insert'],
  ]);
});

test.each([
  { moment: 'before', status: 'placed' },
  { moment: 'after', status: 'reserved' },
])(
  'a process that dies $moment the commit leaves the order $status',
  async ({ moment, status }) => {
    const { id: orderId } = await shop.place();
    failAt = moment;
    await expect(recordReserved(db, orderId)).rejects.toThrow('the process is gone');
    const order = await shop.db.order.findUniqueOrThrow({ where: { id: orderId } });
    expect(order.status).toBe(status);
  },
);

test('a commit watcher sees no commit for a read', async () => {
  await db.order.findMany();
  expect(calls).toEqual([]);
});
