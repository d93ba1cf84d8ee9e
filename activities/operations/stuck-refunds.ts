/**
 * One refund that stands still: whether a running workflow explains it, and what is done when none
 * does. Its provider key is its own for ever, so a second run moves no money twice.
 */
import { log } from '@temporalio/activity';
import { markStuckRefundNeedsAttention } from '../../prisma/payments/refund-outcomes.ts';
import type { RefundStart } from '../../prisma/payments/refunds.ts';
import { markRefundRestarted } from '../../prisma/payments/stuck-refunds.ts';
import { END_REASONS, type EndedState } from './run-states.ts';
import type { MaintenanceDependencies } from './dependencies.ts';

/** `moved`: somebody else was quicker. `explained`: its workflow runs. */
export type SettledRefund = 'explained' | 'restarted' | 'parked' | 'moved';

/** Rejects when Temporal cannot be asked. */
export async function settleStillRefund(
  deps: MaintenanceDependencies,
  refund: RefundStart,
): Promise<SettledRefund> {
  const { kind } = await deps.refunds.inspect(refund.refundId);
  if (kind === 'unavailable') throw new Error('Temporal cannot be asked about the refunds');
  if (kind === 'running') return 'explained';
  // Nobody ended it: Temporal lost it or never had it.
  if (kind === 'missing') return restart(deps, refund);
  return park(deps, refund, kind);
}

async function restart(
  { db, refunds }: MaintenanceDependencies,
  refund: RefundStart,
): Promise<SettledRefund> {
  const { refundId, orderId } = refund;
  const { kind } = await refunds.start(refund);
  if (kind === 'unavailable') throw new Error('Temporal cannot start the refund');
  if (kind === 'already_started') return 'moved';
  await markRefundRestarted(db, refundId);
  log.warn('a refund had no workflow: it goes on', { refund_id: refundId, order_id: orderId });
  return 'restarted';
}

async function park(
  { db }: MaintenanceDependencies,
  refund: RefundStart,
  state: EndedState,
): Promise<SettledRefund> {
  if (!(await markStuckRefundNeedsAttention(db, refund, END_REASONS[state]))) return 'moved';
  const { refundId, orderId } = refund;
  log.warn('a refund stopped moving: it needs attention', {
    refund_id: refundId,
    order_id: orderId,
    state,
  });
  return 'parked';
}
