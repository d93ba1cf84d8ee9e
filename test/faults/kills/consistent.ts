/** What must be true of a shop after whatever was done to it. */
import { expect } from 'vitest';
import type { OrderId } from '../../../domain/ids.ts';
import type { Database } from '../../../prisma/client/client.ts';
import { listSubscriptions } from '../../../prisma/events/subscriptions.ts';
import { eventually } from '../../support/eventually.ts';
import { expectInvariants } from '../../support/invariants.ts';
import type { TestStack } from './test-stack.ts';

const DELIVERED_WITHIN = { timeoutMs: 120_000, everyMs: 100 };

/** Each event of the order has reached the webhook receiver. */
export async function expectDelivered(stack: TestStack, orderId: OrderId): Promise<void> {
  await eventually(async () => {
    const events = await stack.db.event.findMany({ where: { orderId } });
    const received = new Set(stack.receiver.received.map(({ id }) => id));
    expect(events.filter(({ id }) => !received.has(id))).toEqual([]);
  }, DELIVERED_WITHIN);
}

/** Every subscription has caught up, no invariant is violated, and each event is counted once. */
export async function expectEventuallyConsistent({ db }: TestStack): Promise<void> {
  await passFeedWindow(db);
  await eventually(async () => {
    const behind = (await listSubscriptions(db)).filter((each) => each.behind > 0);
    expect(behind.map(({ name }) => name)).toEqual([]);
  }, DELIVERED_WITHIN);
  await expectInvariants(db);
  await eventually(() => expectInvariants(db, { graceMs: 0, scope: 'all' }), DELIVERED_WITHIN);
  // An event whose batch failed with its process is counted by a later attempt.
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

/**
 * The warehouse feed batches events for half a minute: makes the existing ones that old. An event
 * stays within its hour, by which it is counted.
 */
async function passFeedWindow(db: Database): Promise<void> {
  await db.$transaction([
    // The log is append-only by a trigger.
    db.$executeRaw`SET LOCAL session_replication_role = replica`,
    db.$executeRaw`
      UPDATE events SET time = time - interval '30 seconds'
      WHERE date_trunc('hour', time) = date_trunc('hour', time - interval '30 seconds')`,
    db.$executeRaw`UPDATE subscriptions SET updated_at = updated_at - interval '30 seconds'`,
  ]);
}
