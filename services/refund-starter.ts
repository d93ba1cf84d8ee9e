/** Starts the workflow of an accepted refund. */
import type { Database } from '../prisma/client/client.ts';
import { markStuckRefundNeedsAttention } from '../prisma/payments/refund-attention.ts';
import { markRefundStarted, type RefundStart } from '../prisma/payments/refunds.ts';
import type { StartOutcome } from '../temporal/checkout-client.ts';
import { startRejected } from '../temporal/deadline.ts';
import type { RefundClient } from '../temporal/refund-client.ts';

export interface RefundStarterDeps {
  readonly db: Database;
  readonly refunds: RefundClient;
}

/**
 * Starts the workflow and records that it was started. A refund whose workflow Temporal refuses needs
 * attention. Safe to repeat.
 */
export async function startRefundAndMark(
  { db, refunds }: RefundStarterDeps,
  refund: RefundStart,
): Promise<StartOutcome> {
  const outcome = await refunds.start(refund);
  if (outcome.kind === 'rejected') {
    await markStuckRefundNeedsAttention(db, refund, startRejected(outcome));
  } else if (outcome.kind !== 'unavailable') {
    await markRefundStarted(db, refund.refundId);
  }
  return outcome;
}
