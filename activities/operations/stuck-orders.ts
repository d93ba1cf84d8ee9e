/**
 * One stuck order: whether a running workflow explains it, and how it is recovered when none does.
 * Every change is conditional on the order's version, so an order that advanced meanwhile is left alone.
 */
import { log } from '@temporalio/activity';
import { CHECKOUT_STEP } from '../../domain/checkout-steps.ts';
import type { CancelReason } from '../../domain/order.ts';
import {
  findCheckoutProgress,
  markRestarted,
  markStuckNeedsAttention,
  recordRecovered,
  type StuckOrder,
} from '../../prisma/orders/stuck-orders.ts';
import type { Resolution } from '../../domain/attention.ts';
import { END_REASONS, requireDone, requireReached, startRefused } from './run-states.ts';
import type { RunState } from '../../workflows/operations/contract.ts';
import type { MaintenanceDependencies } from './dependencies.ts';

/** `advanced`: it changed meanwhile. `explained`: its workflow runs, or it waits for a decision. */
export type StuckOrderOutcome =
  'explained' | 'restarted' | 'escalated' | 'recovered' | 'abandoned' | 'advanced';

/** Throws an OutageError when Temporal cannot be reached. */
export async function recoverStuckOrder(
  deps: MaintenanceDependencies,
  order: StuckOrder,
): Promise<StuckOrderOutcome> {
  const { kind } = requireDone(await deps.checkouts.inspect(order.orderId));
  const isWaiting = order.status === 'needs_attention';
  if (kind === 'running') return isWaiting ? closeRequest(deps, order) : 'explained';
  if (isWaiting) return order.authorizationExpiring ? abandon(deps, order, kind) : 'explained';
  // Temporal lost the workflow or never had it, and every step is safe to repeat.
  if (kind === 'missing') return restart(deps, order);
  return escalate(deps, order, END_REASONS[kind]);
}

async function escalate(
  { db }: MaintenanceDependencies,
  order: StuckOrder,
  failure: string,
): Promise<StuckOrderOutcome> {
  return (await markStuckNeedsAttention(db, order, failure)) ? 'escalated' : 'advanced';
}

async function restart(
  deps: MaintenanceDependencies,
  order: StuckOrder,
): Promise<StuckOrderOutcome> {
  const { orderId } = order;
  const records = await findCheckoutProgress(deps.db, orderId);
  if (records === null) return 'advanced';
  const cancelReason =
    records.from === 'cancelling' ? (records.cancelReason ?? 'requested_by_operator') : null;
  const resumed = await resume(deps, records, { cancelReason, resolution: null });
  if (resumed.kind === 'rejected') return escalate(deps, order, startRefused(resumed.reason));
  if (resumed.kind === 'running') return 'advanced';
  log.warn('restarted an order that had no workflow', { order_id: orderId, from: records.from });
  return 'restarted';
}

/** The workflow runs again. Closes only the sweep's own request; a waiting step keeps waiting. */
async function closeRequest(
  { db }: MaintenanceDependencies,
  order: StuckOrder,
): Promise<StuckOrderOutcome> {
  if (!order.isCheckoutPending) return 'explained';
  const records = await findCheckoutProgress(db, order.orderId);
  if (records === null || !(await recordRecovered(db, order, records.from))) return 'advanced';
  log.info('a stuck order recovered: its workflow runs again', { order_id: order.orderId });
  return 'recovered';
}

/** The authorization expires soon, no operator decided, and no workflow is there to cancel the order. */
async function abandon(
  deps: MaintenanceDependencies,
  order: StuckOrder,
  state: RunState,
): Promise<StuckOrderOutcome> {
  const records = await findCheckoutProgress(deps.db, order.orderId);
  if (records === null) return 'advanced';
  const resolution: Resolution = {
    step: order.attentionStep ?? CHECKOUT_STEP,
    decision: 'cancel',
    note: 'the authorization was about to expire',
    actor: 'system',
  };
  const replacing = state === 'failing';
  const cancelReason = records.cancelReason ?? 'authorization_expiring';
  const resumed = requireDone(await resume(deps, records, { cancelReason, resolution, replacing }));
  if (resumed.kind === 'running') return 'advanced';
  log.warn('abandoned an order: its authorization expires', { order_id: order.orderId });
  return 'abandoned';
}

async function resume(
  { db, checkouts }: MaintenanceDependencies,
  records: NonNullable<Awaited<ReturnType<typeof findCheckoutProgress>>>,
  how: {
    readonly cancelReason: CancelReason | null;
    readonly resolution: Resolution | null;
    readonly replacing?: boolean;
  },
) {
  const { cancelReason, resolution, replacing = false } = how;
  const { from, shippedManually } = records;
  const resumed = requireReached(
    await checkouts.resume(
      records.start,
      { from, cancelReason, resolution, shippedManually },
      { replacing },
    ),
  );
  if (resumed.kind === 'resumed') await markRestarted(db, records.start.orderId);
  return resumed;
}
