/**
 * Recovery that runs in the API, because it must work without Temporal or within seconds. Its parts
 * deliver missed callbacks, process payment webhooks, look up orders that wait for the shopper, start
 * reconciliations and jobs whose start was lost, expire pending orders that the sweep missed, which
 * releases their stock, and report new dead letters in the log. Every item is safe to repeat, also by
 * concurrent processes. All other recovery: activities/operations/sweep.ts,
 * and the starters among the subscribers (activities/events/subscribers/).
 */
import { isDatabaseUnavailable } from '../prisma/client/errors.ts';
import { listUnprocessed, markTried } from '../prisma/events/inbox.ts';
import { listUnstartedJobs } from '../prisma/jobs/job-status.ts';
import { listOverdue, markChecked } from '../prisma/orders/orders.ts';
import { listWaiting } from '../prisma/orders/payment-actions.ts';
import { findUnstartedReconciliation } from '../prisma/operations/reconciliation-runs.ts';
import { eachItem } from '../telemetry/items.ts';
import { expireOrder } from './expire-order.ts';
import { itemLoop } from './items.ts';
import { startJobAndMark } from './job-starter.ts';
import { processPaymentWebhooks } from './payment-webhooks/process.ts';
import { repeat } from './repeat.ts';
import { reportFailures } from './report-failures.ts';
import { settleAndStart, type SettleAndStartDeps } from './settle-action.ts';
import { startRequestedReconciliation } from './start-reconciliation.ts';
import { deliverShipmentSignal, type ShipmentSignalDeps } from './shipment-callbacks.ts';
import type { JobClient } from '../temporal/job-client.ts';
import type { ReconciliationClient } from '../temporal/reconciliation-client.ts';
import type { RefundClient } from '../temporal/refund-client.ts';

export interface RecoveryDeps extends ShipmentSignalDeps, SettleAndStartDeps {
  readonly reconciliationClient: ReconciliationClient;
  readonly jobs: JobClient;
  readonly refunds: RefundClient;
}

export interface RecoveryLimits {
  /** Younger callbacks and reconciliations may still be in progress in their own request. */
  readonly olderThanMs: number;
  /** Pending orders this long past their deadline were missed by the sweep. */
  readonly expiryGraceMs: number;
  readonly batch: number;
  /** Orders that wait for the shopper are looked up this often, in case no webhook comes; once a minute. */
  readonly recheckMs?: number;
}

export interface RecoveryResult {
  readonly delivered: number;
  readonly expired: number;
  /** Payment webhooks that were closed. */
  readonly closed: number;
  /** Reconciliations whose workflow was started. */
  readonly started: number;
  /** Orders that do not wait for the shopper any more. */
  readonly notWaiting: number;
}

/** The grace is two missed sweeps, which means that Temporal or its workers are down. */
const LIMITS: RecoveryLimits = { olderThanMs: 2_000, expiryGraceMs: 150_000, batch: 100 };
const RECHECK_MS = 60_000;
const EVERY_MS = 1_000;
/** Webhooks are processed many at once: three of each order, from all orders of a second. */
const WEBHOOKS_PER_ITEM = 5;

/** Runs every part once. A failed part is logged and does not stop the others. */
export async function runRecovery(
  deps: RecoveryDeps,
  limits: RecoveryLimits = LIMITS,
): Promise<RecoveryResult> {
  const parts = partsOf(deps, limits);
  const [delivered, expired, closed, started, notWaiting] = await Promise.all([
    parts.delivered(),
    parts.expired(),
    parts.closed(),
    parts.started(),
    parts.notWaiting(),
    parts.jobs(),
    parts.report(),
  ]);
  return { delivered, expired, closed, started, notWaiting };
}

/** Runs each part again and again until stopped. One that waits for a slow provider delays no other. */
export function startRecovery(deps: RecoveryDeps): { stop(): Promise<void> } {
  const running = Object.values(partsOf(deps, LIMITS)).map((part) =>
    repeat(EVERY_MS, async () => {
      await part();
      return 'again';
    }),
  );
  return {
    async stop() {
      await Promise.all(running.map((each) => each.stop()));
    },
  };
}

/** None of them throws. */
function partsOf(deps: RecoveryDeps, limits: RecoveryLimits) {
  const { olderThanMs, batch: limit } = limits;
  return {
    delivered: () => counted(deps, 'deliver_callbacks', () => deliverMissedSignals(deps, limits)),
    expired: () => counted(deps, 'expire', () => expireOverdue(deps, limits)),
    closed: () =>
      counted(deps, 'payment_webhooks', () =>
        processPaymentWebhooks(deps, { olderThanMs, limit: limit * WEBHOOKS_PER_ITEM }),
      ),
    started: () => counted(deps, 'reconcile', () => startMissedReconciliation(deps, limits)),
    notWaiting: () => counted(deps, 'payment_actions', () => settleWaiting(deps, limits)),
    jobs: () => attempted(deps, 'jobs', () => startMissedJobs(deps, limits)),
    report: () => attempted(deps, 'report', () => reportFailures(deps, limit)),
  };
}

async function deliverMissedSignals(deps: RecoveryDeps, limits: RecoveryLimits): Promise<number> {
  const { olderThanMs, batch } = limits;
  const query = { source: 'warehouse', olderThanMs, limit: batch } as const;
  let delivered = 0;
  const messages = await listUnprocessed(deps.db, query);
  await eachItem(messages, itemLoop(deps, 'deliver_callbacks', idOf), async (message) => {
    await markTried(deps.db, message.source, [message.id]);
    if (!(await deliverShipmentSignal(deps, message))) return 'stop';
    delivered += 1;
    return 'next';
  });
  return delivered;
}

async function expireOverdue(deps: RecoveryDeps, limits: RecoveryLimits): Promise<number> {
  const { expiryGraceMs: graceMs, batch } = limits;
  let expired = 0;
  const overdue = await listOverdue(deps.db, { graceMs, limit: batch });
  await eachItem(overdue, itemLoop(deps, 'expire_overdue', idOf), async (order) => {
    await markChecked(deps.db, order.id);
    const outcome = await expireOrder(deps, order);
    if (outcome.kind !== 'later') {
      if (outcome.kind === 'expired') expired += 1;
      return 'next';
    }
    const { reason } = outcome;
    deps.log.warn({ order_id: order.id, reason }, 'order not expired yet');
    // The provider does not respond, so the other orders would fail as well. The next pass begins
    // with those that were not tried.
    return UNANSWERED.includes(reason) ? 'stop' : 'next';
  });
  return expired;
}

/** A shopper who confirmed the payment and then left is not waited for: the order is placed or ends here. */
async function settleWaiting(deps: RecoveryDeps, limits: RecoveryLimits): Promise<number> {
  const { recheckMs = RECHECK_MS, batch } = limits;
  let notWaiting = 0;
  const waiting = await listWaiting(deps.db, { recheckMs, limit: batch });
  await eachItem(waiting, itemLoop(deps, 'payment_actions', String), async (orderId) => {
    await markChecked(deps.db, orderId);
    const outcome = await settleAndStart(deps, orderId);
    if (outcome.kind === 'not_waiting') notWaiting += 1;
    // The provider does not respond for the next order either.
    return outcome.kind === 'later' && UNANSWERED.includes(outcome.reason) ? 'stop' : 'next';
  });
  return notWaiting;
}

const UNANSWERED: readonly string[] = ['unavailable', 'unknown'];

/** Only one reconciliation runs at a time, so one that never started would block all others. */
async function startMissedReconciliation(
  deps: RecoveryDeps,
  limits: RecoveryLimits,
): Promise<number> {
  const run = await findUnstartedReconciliation(deps.db, limits);
  return run !== null && (await startRequestedReconciliation(deps, run)) ? 1 : 0;
}

/** Jobs that are queued while Temporal is away begin when it is back. */
async function startMissedJobs(deps: RecoveryDeps, limits: RecoveryLimits): Promise<void> {
  const { olderThanMs, batch: limit } = limits;
  const jobs = await listUnstartedJobs(deps.db, { olderThanMs, limit });
  await eachItem(jobs, itemLoop(deps, 'start_jobs', idOf), async (job) => {
    const { kind } = await startJobAndMark(deps, job);
    return kind === 'unavailable' ? 'stop' : 'next';
  });
}

function idOf({ id }: { readonly id: string }): string {
  return id;
}

async function counted(
  deps: RecoveryDeps,
  part: string,
  work: () => Promise<number>,
): Promise<number> {
  const count = (await attempted(deps, part, work)) ?? 0;
  if (count > 0) deps.log.info({ part, count }, 'recovered');
  return count;
}

/** Undefined when it failed. */
async function attempted<T>(
  { log }: RecoveryDeps,
  part: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    // /readyz and every request report an unavailable database already.
    const level = isDatabaseUnavailable(error) ? 'debug' : 'error';
    log[level]({ err: error, part }, 'recovery failed');
    return undefined;
  }
}
