import { afterEach, expect, test, vi } from 'vitest';
import { isOverdue, listOverdue, longestOverdueSeconds } from '../../prisma/orders/orders.ts';
import { useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase();
afterEach(() => {
  vi.useRealTimers();
});

const DAY_MS = 86_400_000;
const overdue = async (): Promise<readonly string[]> =>
  (await listOverdue(shop.db, { graceMs: 0, limit: 10 })).map(({ id }) => id);

test('a process whose clock is a day ahead sees no order as overdue before its deadline', async () => {
  const { id } = await shop.open();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + DAY_MS });
  expect(await overdue()).not.toContain(id);
  expect(await isOverdue(shop.db, id)).toBe(false);
});

test('a process whose clock is a day behind sees an order past its deadline as overdue', async () => {
  const { id } = await shop.open();
  await shop.db
    .$executeRaw`UPDATE orders SET deadline_at = now() - interval '1 minute' WHERE id = ${id}`;
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - DAY_MS });
  expect(await overdue()).toContain(id);
  expect(await isOverdue(shop.db, id)).toBe(true);
});

test('the longest overdue order is the pending one that is longest past its deadline', async () => {
  const [late, later] = [await shop.open(), await shop.open()];
  const pass = (id: string, hours: number) =>
    shop.db
      .$executeRaw`UPDATE orders SET deadline_at = now() - ${hours} * interval '1 hour' WHERE id = ${id}`;
  await pass(late.id, 2);
  await pass(later.id, 5);
  expect(Math.round((await longestOverdueSeconds(shop.db)) / 3_600)).toBe(5);
  await shop.db.order.updateMany({ data: { deadlineAt: new Date(Date.now() + DAY_MS) } });
  expect(await longestOverdueSeconds(shop.db)).toBe(0);
});
