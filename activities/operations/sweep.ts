/** The sweep, every minute: expires pending orders, recovers stuck orders, refunds and jobs, purges old rows. */
import { log } from '@temporalio/activity';
import type { OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import { reopenStale } from '../../prisma/events/dead-letters.ts';
import { listStuckJobs, markJobChecked, type JobStart } from '../../prisma/jobs/job-status.ts';
import { listOverdue, markChecked } from '../../prisma/orders/orders.ts';
import type { RefundStart } from '../../prisma/payments/refunds.ts';
import { listStuckRefunds, markRefundChecked } from '../../prisma/payments/stuck-refunds.ts';
import {
  closeStaleDeadLetters,
  listStuckOrders,
  type StuckOrder,
} from '../../prisma/orders/stuck-orders.ts';
import { eachItem } from '../../telemetry/items.ts';
import { recordMaintenanceRun } from '../../prisma/operations/maintenance-runs.ts';
import type { SweepActivities } from '../../workflows/activities.ts';
import { guarded } from '../guarded.ts';
import { itemLoop } from '../items.ts';
import { expireDueCredit } from './expire-credit.ts';
import { eraseOutdated, purgeOld } from './purge.ts';
import { recoverStuckJob } from './stuck-jobs.ts';
import { recoverStuckOrder, type StuckOrderOutcome } from './stuck-orders.ts';
import { recoverStuckRefund, type StuckRefundOutcome } from './stuck-refunds.ts';
import type { MaintenanceDependencies, SweepDependencies } from './dependencies.ts';

/** An authorization that was requested in time is visible by then: 2 s, look-up 1 s, a slow provider. */
const EXPIRY_GRACE_MS = 15_000;
const BATCH = 100;
/** An outage may leave hundreds; their units stay held until they expire. */
const MAX_BATCHES = 10;
/** No batch starts later: below the start-to-close timeout in workflows/operations/sweep.ts. */
const EXPIRE_WITHIN_MS = 30_000;
/** One response may be lost; this many in a row are an outage. */
const MAX_UNKNOWN = 3;
/** An order progresses within seconds, or its workflow explains why not. */
const IDLE_MS = 10_000;
/** A running job commits a batch within seconds. */
const JOB_IDLE_MS = 30_000;
/** Less than the time between two sweeps. */
const RECHECK_MS = 45_000;
/** The others wait for the next sweep; the longest unchecked come first. */
const MAX_CHECKED = 1_000;
/** All of a batch at once. */
const CHECK_BATCH = 10;
/** By then a redriven delivery had several attempts, and a redriven step has resumed. */
const REDRIVE_LOST_AFTER_MS = 15 * 60_000;

export function createSweepActivities(deps: SweepDependencies): SweepActivities {
  const { db } = deps;
  return guarded<SweepActivities>({
    expirePending: () => expirePending(deps),
    checkStuckOrders: () => checkStuckOrders(deps),
    checkStuckRefunds: () => checkStuckRefunds(deps),
    checkStuckJobs: () => checkStuckJobs(deps),

    async purgeExpired() {
      const [reopened, resolved, purged, erased, creditExpired] = await Promise.all([
        reopenStale(db, { olderThanMs: REDRIVE_LOST_AFTER_MS, limit: BATCH }),
        closeStaleDeadLetters(db, BATCH),
        purgeOld(deps),
        eraseOutdated(deps),
        expireDueCredit(deps),
      ]);
      return { purged, erased, reopened, resolved, credit_expired: creditExpired };
    },

    recordSweep: ({ counts }) => recordMaintenanceRun(db, 'sweep', counts),
  });
}

async function expirePending(deps: MaintenanceDependencies) {
  const counts = { expired: 0, undecided: 0 };
  const tried = new Set<OrderId>();
  const endsAtMs = Date.now() + EXPIRE_WITHIN_MS;
  for (let batch = 0; batch < MAX_BATCHES && Date.now() < endsAtMs; batch += 1) {
    const overdue = await listOverdue(deps.db, { graceMs: EXPIRY_GRACE_MS, limit: BATCH });
    // Those tried in this sweep come last. The next one tries them again.
    const untried = overdue.filter(({ id }) => !tried.has(id));
    for (const { id } of untried) tried.add(id);
    if (!(await expireBatch(deps, untried, counts)) || untried.length < BATCH) break;
  }
  return counts;
}

/** False when this sweep should not continue: the provider is away. */
async function expireBatch(
  { db, expireOrder }: MaintenanceDependencies,
  overdue: readonly Order[],
  counts: { expired: number; undecided: number },
): Promise<boolean> {
  let unknown = 0;
  let isAway = false;
  const loop = itemLoop('expire_pending', ({ id }: Order) => id);
  const failed = await eachItem(overdue, loop, async (order) => {
    await markChecked(db, order.id);
    const outcome = await expireOrder(order);
    if (outcome.kind !== 'later') {
      if (outcome.kind === 'expired') counts.expired += 1;
      unknown = 0;
      return 'next';
    }
    counts.undecided += 1;
    log.warn('order not expired yet', { order_id: order.id, reason: outcome.reason });
    unknown = outcome.reason === 'unknown' ? unknown + 1 : 0;
    // The provider is unavailable for the next order as well.
    isAway = outcome.reason === 'unavailable' || unknown === MAX_UNKNOWN;
    return isAway ? 'stop' : 'next';
  });
  counts.undecided += failed.length;
  return !isAway;
}

async function checkStuckOrders(deps: MaintenanceDependencies) {
  const counts: Record<StuckOrderOutcome | 'checked' | 'failed', number> = {
    checked: 0,
    explained: 0,
    restarted: 0,
    escalated: 0,
    recovered: 0,
    abandoned: 0,
    advanced: 0,
    failed: 0,
  };
  const loop = itemLoop('stuck_orders', ({ orderId }: StuckOrder) => orderId, CHECK_BATCH);
  await inBatches(async (limits) => {
    const stuck = await listStuckOrders(deps.db, limits);
    const failed = await eachItem(stuck, loop, async (order) => {
      await markChecked(deps.db, order.orderId);
      counts[await recoverStuckOrder(deps, order)] += 1;
    });
    counts.checked += stuck.length;
    counts.failed += failed.length;
    return stuck.length;
  });
  return counts;
}

async function checkStuckRefunds(deps: MaintenanceDependencies) {
  const counts: Record<StuckRefundOutcome | 'checked' | 'failed', number> = {
    checked: 0,
    explained: 0,
    restarted: 0,
    escalated: 0,
    advanced: 0,
    failed: 0,
  };
  const loop = itemLoop('stuck_refunds', ({ refundId }: RefundStart) => refundId, CHECK_BATCH);
  await inBatches(async (limits) => {
    const stuck = await listStuckRefunds(deps.db, limits);
    const failed = await eachItem(stuck, loop, async (refund) => {
      await markRefundChecked(deps.db, refund.refundId);
      counts[await recoverStuckRefund(deps, refund)] += 1;
    });
    counts.checked += stuck.length;
    counts.failed += failed.length;
    return stuck.length;
  });
  return Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [`refunds_${name}`, count]),
  );
}

async function checkStuckJobs(deps: SweepDependencies) {
  const counts = { jobs_checked: 0, jobs_restarted: 0, jobs_failed: 0 };
  const loop = itemLoop('stuck_jobs', ({ id }: JobStart) => id);
  await inBatches(async ({ recheckMs, limit }) => {
    const stuck = await listStuckJobs(deps.db, { idleMs: JOB_IDLE_MS, recheckMs, limit });
    await eachItem(stuck, loop, async (job) => {
      await markJobChecked(deps.db, job.id);
      const outcome = await recoverStuckJob(deps, job);
      if (outcome !== 'explained') counts[`jobs_${outcome}`] += 1;
    });
    counts.jobs_checked += stuck.length;
    return stuck.length;
  });
  return counts;
}

/** Calls `check` batch by batch, until one is not full or enough were checked. */
async function inBatches(
  check: (limits: { idleMs: number; recheckMs: number; limit: number }) => Promise<number>,
): Promise<void> {
  const limits = { idleMs: IDLE_MS, recheckMs: RECHECK_MS, limit: CHECK_BATCH };
  for (let checked = 0; checked < MAX_CHECKED; checked += CHECK_BATCH) {
    if ((await check(limits)) < CHECK_BATCH) return;
  }
}
