import { afterEach, expect, test, vi } from 'vitest';
import { isOverdue, listOverdue } from '../../prisma/orders/orders.ts';
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
