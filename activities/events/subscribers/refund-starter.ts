/**
 * Starts the workflow of any refund that was accepted and not started: the API sends the start after
 * its answer and does not wait, so it can be lost with the process or while Temporal is away.
 */
import { STARTER_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import { isRefundId, type RefundId } from '../../../domain/ids.ts';
import type { Database } from '../../../prisma/client/client.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import {
  findUnstartedRefunds,
  markRefundStarted,
  type RefundStart,
} from '../../../prisma/payments/refunds.ts';
import type { Subscriber } from './subscriber.ts';

export interface RefundStarterDeps {
  readonly db: Database;
  /** Resolves when the workflow runs or ran already; rejects when that is not known. */
  startRefund(refund: RefundStart): Promise<void>;
}

/** Younger refunds are still in the hands of the request that accepted them. */
const GRACE_MS = 2_000;

export function createRefundStarterSubscriber(deps: RefundStarterDeps): Subscriber {
  return {
    name: 'refund-starter',
    types: ['refund.requested'],
    startsAt: 'beginning',
    maxBatch: 20,
    delayMs: GRACE_MS,
    deadlineMs: 20_000,
    retryDelaysMs: STARTER_RETRY_DELAYS_MS,
    handle: (events, signal) => startUnstarted(deps, events, signal),
  };
}

async function startUnstarted(
  { db, startRefund }: RefundStarterDeps,
  events: readonly LoggedEvent[],
  signal: AbortSignal,
): Promise<void> {
  for (const refund of await findUnstartedRefunds(db, events.flatMap(refundsIn))) {
    signal.throwIfAborted();
    await startRefund(refund);
    await markRefundStarted(db, refund.refundId);
  }
}

function refundsIn({ data }: LoggedEvent): readonly RefundId[] {
  const { refund_id: id } = data;
  return typeof id === 'string' && isRefundId(id) ? [id] : [];
}
