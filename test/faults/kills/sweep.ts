/** One test per failpoint: an order passes it, the process dies there, a fresh one takes over. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OrderId } from '../../../domain/ids.ts';
import type { Moment, Seam } from '../../../failpoints.ts';
import { checkInvariants } from '../../../prisma/invariants.ts';
import { listSubscriptions } from '../../../prisma/subscriptions.ts';
import { eventually } from '../../support/eventually.ts';
import { cell } from '../cell.ts';
import { FATES } from './fates.ts';
import { openLanes, type Lane, type Lanes } from './lanes.ts';
import { pointOf } from './points.ts';

/** As many as Vitest runs at a time (`maxConcurrency`). Most of a test is waiting, not work. */
const LANES = 5;
const CELL_TIMEOUT_MS = 300_000;
const OPEN_TIMEOUT_MS = 180_000;
const MOMENTS: readonly Moment[] = ['before', 'after'];
const DELIVERED_WITHIN = { timeoutMs: 60_000, everyMs: 200 };

/** Both moments of every seam given, on lanes of their own. */
export function sweep(seams: readonly Seam[]): void {
  let lanes: Lanes | null = null;
  const open = (): Lanes => {
    if (!lanes) throw new Error('the lanes are not open');
    return lanes;
  };
  beforeAll(async () => {
    lanes = await openLanes(LANES);
  }, OPEN_TIMEOUT_MS);
  afterAll(() => lanes?.close(), 60_000);

  describe.concurrent('a process that dies', () => {
    for (const seam of seams) {
      for (const moment of MOMENTS) {
        const name = `${seam}:${moment}`;
        const { fate, cells } = pointOf(seam, moment);
        const title = `at ${name}: the order is ${fate.replaceAll('_', ' ')} as if it had not`;
        const kill = (fired: (count: number) => void): Promise<void> =>
          open().use(async (lane) => {
            await dieAt(lane, name, FATES[fate]);
            fired(1);
          });
        cell([`failpoint/${name}`, ...cells], title, ({ fired }) => kill(fired), CELL_TIMEOUT_MS);
      }
    }
  });

  test('afterwards every shop is sound: its books, its stock, its figures', async () => {
    for (const lane of open().all) await expectSound(lane);
  }, 120_000);
}

/** Tells the fate with the point armed; the process must have died of it, and the fate come true. */
async function dieAt(lane: Lane, name: string, fate: (lane: Lane) => Promise<OrderId>) {
  const { app, sandbox } = lane;
  const doomed = app.pid;
  app.arm(name);
  try {
    const orderId = await fate(lane);
    await eventually(() => expect(app.mark()).toBe(`${name} ${doomed}\n`), DELIVERED_WITHIN);
    await expectDelivered(lane, orderId);
    expect(app.pid).not.toBe(doomed);
  } finally {
    app.disarm();
    sandbox.faults.clear();
  }
}

/** Every subscription has got past every event, and each of the order's reached the receiver. */
async function expectDelivered(lane: Lane, orderId: OrderId): Promise<void> {
  await eventually(async () => {
    const behind = (await listSubscriptions(lane.db)).filter((each) => each.behind > 0);
    expect(behind.map(({ name }) => name)).toEqual([]);
    const events = await lane.db.event.findMany({ where: { orderId } });
    const received = new Set(lane.receiver.received.map(({ id }) => id));
    expect(events.filter(({ id }) => !received.has(id))).toEqual([]);
  }, DELIVERED_WITHIN);
}

async function expectSound({ db }: Lane): Promise<void> {
  const results = await checkInvariants(db, { graceMs: 0 });
  const broken = results.filter(({ violations, unchecked }) => violations > 0 || unchecked);
  expect(broken).toEqual([]);
  const counted = await db.$queryRaw`
    SELECT coalesce(sum(orders), 0)::int AS placed, coalesce(sum(declines), 0)::int AS declined,
      coalesce(sum(compensations), 0)::int AS cancelled FROM analytics_hourly`;
  const happened = await db.$queryRaw`
    SELECT (count(*) FILTER (WHERE type = 'order.placed'))::int AS placed,
      (count(*) FILTER (WHERE type = 'order.declined'))::int AS declined,
      (count(*) FILTER (WHERE type = 'order.cancelled'))::int AS cancelled FROM events`;
  expect(counted).toEqual(happened);
}
