/** What the sweep does every minute: ends what nobody finished, finds what stopped, forgets what is old. */
import { Context, log } from '@temporalio/activity';
import type { Order } from '../../domain/order.ts';
import { purgeStepAttempts } from '../../prisma/orders/step-attempts.ts';
import { reopenStale } from '../../prisma/events/dead-letters.ts';
import { dropExpiredKeys } from '../../prisma/access/idempotency.ts';
import { listOverdue } from '../../prisma/orders/orders.ts';
import {
  purgeConsumedEvents,
  purgeEvents,
  purgeInboxMessages,
} from '../../prisma/operations/retention.ts';
import { listStuckRefunds, markRefundsChecked } from '../../prisma/payments/stuck-refunds.ts';
import {
  listStuckOrders,
  markChecked,
  closeStaleDeadLetters,
} from '../../prisma/orders/stuck-orders.ts';
import { recordMaintenanceRun } from '../../prisma/operations/maintenance-runs.ts';
import type { SweepActivities } from '../../workflows/activities.ts';
import { recoverStuckOrder, type Settled } from './stuck-orders.ts';
import { settleStillRefund, type SettledRefund } from './stuck-refunds.ts';
import type { MaintenanceDependencies } from './dependencies.ts';

/** An authorization asked for in time is there by then: 2 s, its look-up 1 s, a slow provider's rest. */
const EXPIRY_GRACE_MS = 15_000;
const BATCH = 100;
/** An outage may leave hundreds behind; their units are missing on the shelves until they expire. */
const MAX_BATCHES = 10;
/** No batch begins later: below the start-to-close timeout in workflows/operations/sweep.ts. */
const EXPIRE_FOR_MS = 30_000;
/** One answer may be lost; so many in a row are a provider that is away. */
const MAX_UNANSWERED = 3;
/** What moves does so within seconds, or its workflow explains why not. */
const STILL_MS = 10_000;
/** Less than the time between two sweeps. */
const RECHECK_MS = 45_000;
/** More than this wait for the next sweep; the longest unchecked come first. */
const MAX_CHECKED = 1_000;
const CHECKED_AT_ONCE = 10;
const EVENTS_KEPT_DAYS = 90;
/** Short transactions: nobody waits long for a row. */
const DROPPED_AT_ONCE = 1_000;
/** What a busy shop writes in a minute goes in one, and a sweep still ends in time. */
const MAX_DROPS = 20;
/** A redriven delivery has been tried several times by then, a step has resumed at once. */
const REDRIVE_FORGOTTEN_AFTER_MS = 15 * 60_000;

export function createSweepActivities(deps: MaintenanceDependencies): SweepActivities {
  const { db } = deps;
  return {
    expirePending: () => expirePending(deps),
    checkStuckOrders: () => checkStuckOrders(deps),
    checkStuckRefunds: () => checkStuckRefunds(deps),

    async purgeExpired() {
      const [reopened, resolved, ...forgotten] = await Promise.all([
        reopenStale(db, { olderThanMs: REDRIVE_FORGOTTEN_AFTER_MS, limit: BATCH }),
        closeStaleDeadLetters(db, BATCH),
        drainInBatches((limit) => dropExpiredKeys(db, limit)),
        drainInBatches((limit) => purgeEvents(db, { days: EVENTS_KEPT_DAYS, limit })),
        // Remembered for longer than the events: a rewind cannot count twice.
        drainInBatches((limit) => purgeConsumedEvents(db, { days: EVENTS_KEPT_DAYS * 2, limit })),
        drainInBatches((limit) => purgeInboxMessages(db, { days: EVENTS_KEPT_DAYS * 2, limit })),
        drainInBatches((limit) => purgeStepAttempts(db, limit)),
      ]);
      return { forgotten: forgotten.reduce((sum, count) => sum + count, 0), reopened, resolved };
    },

    recordSweep: ({ counts }) => recordMaintenanceRun(db, 'sweep', counts),
  };
}

/** Goes on dropping while there is a full batch to drop. Returns how many went. */
async function drainInBatches(drop: (limit: number) => Promise<number>): Promise<number> {
  let total = 0;
  for (let drops = 0; drops < MAX_DROPS; drops += 1) {
    const count = await drop(DROPPED_AT_ONCE);
    Context.current().heartbeat();
    total += count;
    if (count < DROPPED_AT_ONCE) break;
  }
  return total;
}

async function expirePending(deps: MaintenanceDependencies) {
  const counts = { expired: 0, undecided: 0 };
  const asked = { graceMs: EXPIRY_GRACE_MS, limit: BATCH };
  const endsAtMs = Date.now() + EXPIRE_FOR_MS;
  for (let batch = 0; batch < MAX_BATCHES && Date.now() < endsAtMs; batch += 1) {
    const overdue = await listOverdue(deps.db, asked);
    // What is undecided is listed again: the next sweep asks again.
    if (!(await expireBatch(deps, overdue, counts)) || overdue.length < BATCH) break;
  }
  return counts;
}

/** False when going on is of no use now. */
async function expireBatch(
  { expireOrder }: MaintenanceDependencies,
  overdue: readonly Order[],
  counts: { expired: number; undecided: number },
): Promise<boolean> {
  const undecidedBefore = counts.undecided;
  let unanswered = 0;
  for (const order of overdue) {
    const outcome = await expireOrder(order);
    Context.current().heartbeat();
    if (outcome.kind === 'expired') {
      counts.expired += 1;
      unanswered = 0;
      continue;
    }
    counts.undecided += 1;
    log.warn('order not expired yet', { order_id: order.id, reason: outcome.reason });
    if (outcome.reason === 'unknown') unanswered += 1;
    // The provider is away: it will not answer for the next order either.
    if (outcome.reason === 'unavailable' || unanswered === MAX_UNANSWERED) return false;
  }
  return counts.undecided === undecidedBefore;
}

async function checkStuckOrders(deps: MaintenanceDependencies) {
  const counts: Record<Settled | 'checked', number> = {
    checked: 0,
    explained: 0,
    restarted: 0,
    parked: 0,
    healed: 0,
    abandoned: 0,
    moved: 0,
  };
  await inBatches(async (asked) => {
    const still = await listStuckOrders(deps.db, asked);
    const settled = await Promise.all(still.map((order) => recoverStuckOrder(deps, order)));
    for (const each of settled) counts[each] += 1;
    counts.checked += still.length;
    await markChecked(
      deps.db,
      still.map(({ orderId }) => orderId),
    );
    return still.length;
  });
  return counts;
}

async function checkStuckRefunds(deps: MaintenanceDependencies) {
  const counts: Record<SettledRefund | 'checked', number> = {
    checked: 0,
    explained: 0,
    restarted: 0,
    parked: 0,
    moved: 0,
  };
  await inBatches(async (asked) => {
    const still = await listStuckRefunds(deps.db, asked);
    const settled = await Promise.all(still.map((refund) => settleStillRefund(deps, refund)));
    for (const each of settled) counts[each] += 1;
    counts.checked += still.length;
    await markRefundsChecked(
      deps.db,
      still.map(({ refundId }) => refundId),
    );
    return still.length;
  });
  return Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [`refunds_${name}`, count]),
  );
}

/** Calls `check` for a few at a time, until it finds fewer or enough were checked. */
async function inBatches(
  check: (asked: { idleMs: number; recheckMs: number; limit: number }) => Promise<number>,
): Promise<void> {
  const asked = { idleMs: STILL_MS, recheckMs: RECHECK_MS, limit: CHECKED_AT_ONCE };
  for (let checked = 0; checked < MAX_CHECKED; checked += CHECKED_AT_ONCE) {
    const found = await check(asked);
    Context.current().heartbeat();
    if (found < CHECKED_AT_ONCE) return;
  }
}
