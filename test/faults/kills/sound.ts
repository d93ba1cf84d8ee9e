/** What must be true of a shop after whatever was done to it. */
import { expect } from 'vitest';
import type { OrderId } from '../../../domain/ids.ts';
import type { Database } from '../../../prisma/client.ts';
import { checkInvariants } from '../../../prisma/invariants.ts';
import { listSubscriptions } from '../../../prisma/subscriptions.ts';
import { eventually } from '../../support/eventually.ts';
import type { Lane } from './lanes.ts';

const DELIVERED_WITHIN = { timeoutMs: 120_000, everyMs: 200 };

/** Each event of the order has reached the receiver of webhooks. */
export async function expectDelivered(lane: Lane, orderId: OrderId): Promise<void> {
  await eventually(async () => {
    const events = await lane.db.event.findMany({ where: { orderId } });
    const received = new Set(lane.receiver.received.map(({ id }) => id));
    expect(events.filter(({ id }) => !received.has(id))).toEqual([]);
  }, DELIVERED_WITHIN);
}

/** Every subscription has got past every event, no invariant is broken, each event counted once. */
export async function expectSound({ db }: Lane): Promise<void> {
  await eventually(async () => {
    const behind = (await listSubscriptions(db)).filter((each) => each.behind > 0);
    expect(behind.map(({ name }) => name)).toEqual([]);
  }, DELIVERED_WITHIN);
  expect(await brokenAmong(db, 'always')).toEqual([]);
  await eventually(async () => expect(await brokenAmong(db, 'all')).toEqual([]), DELIVERED_WITHIN);
  // What failed with its batch in a dying process is counted by a later try.
  await eventually(async () => {
    const counted = await db.$queryRaw`
      SELECT coalesce(sum(orders), 0)::int AS placed, coalesce(sum(declines), 0)::int AS declined,
        coalesce(sum(compensations), 0)::int AS cancelled FROM analytics_hourly`;
    const happened = await db.$queryRaw`
      SELECT (count(*) FILTER (WHERE type = 'order.placed'))::int AS placed,
        (count(*) FILTER (WHERE type = 'order.declined'))::int AS declined,
        (count(*) FILTER (WHERE type = 'order.cancelled'))::int AS cancelled FROM events`;
    expect(counted).toEqual(happened);
  }, DELIVERED_WITHIN);
}

async function brokenAmong(db: Database, scope: 'always' | 'all') {
  const results = await checkInvariants(db, { graceMs: 0, scope });
  return results.filter(({ violations, unchecked }) => violations > 0 || unchecked);
}
