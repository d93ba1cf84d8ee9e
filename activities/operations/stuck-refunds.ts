/**
 * One stuck refund: whether a running workflow explains it, and how it is recovered when none does. A
 * refund keeps its provider key, so a second run never moves the money twice.
 */
import { log } from '@temporalio/activity';
import { markStuckRefundNeedsAttention } from '../../prisma/payments/refund-attention.ts';
import type { RefundStart } from '../../prisma/payments/refunds.ts';
import { markRefundRestarted } from '../../prisma/payments/stuck-refunds.ts';
import { END_REASONS, requireDone, requireReached, startRefused } from './run-states.ts';
import type { MaintenanceDependencies } from './dependencies.ts';

/** `advanced`: it changed meanwhile. `explained`: its workflow runs. */
export type StuckRefundOutcome = 'explained' | 'restarted' | 'escalated' | 'advanced';

/** Throws an OutageError when Temporal cannot be reached. */
export async function recoverStuckRefund(
  deps: MaintenanceDependencies,
  refund: RefundStart,
): Promise<StuckRefundOutcome> {
  const { kind } = requireDone(await deps.refunds.inspect(refund.refundId));
  if (kind === 'running') return 'explained';
  // Temporal lost the workflow or never had it.
  if (kind === 'missing') return restart(deps, refund);
  return escalate(deps, refund, END_REASONS[kind]);
}

async function restart(
  deps: MaintenanceDependencies,
  refund: RefundStart,
): Promise<StuckRefundOutcome> {
  const { db, refunds } = deps;
  const { refundId, orderId } = refund;
  const started = requireReached(await refunds.start(refund));
  if (started.kind === 'rejected') return escalate(deps, refund, startRefused(started.reason));
  if (started.kind === 'already_started') return 'advanced';
  await markRefundRestarted(db, refundId);
  log.warn('restarted a refund that had no workflow', { refund_id: refundId, order_id: orderId });
  return 'restarted';
}

async function escalate(
  { db }: MaintenanceDependencies,
  refund: RefundStart,
  failure: string,
): Promise<StuckRefundOutcome> {
  return (await markStuckRefundNeedsAttention(db, refund, failure)) ? 'escalated' : 'advanced';
}
