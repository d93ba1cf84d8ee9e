/**
 * Starts the workflow of each refund that has none and is due. The API starts that of an accepted one after
 * its response and does not wait, so the start can be lost with the process or during a Temporal outage.
 * Nothing else starts the one of a cancelled order whose provider is not sure.
 */
import { STARTER_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import { isRefundId, type RefundId } from '../../../domain/ids.ts';
import type { Database } from '../../../prisma/client/client.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { findUnstartedRefunds, type RefundStart } from '../../../prisma/payments/refunds.ts';
import { throwFailed, type Subscriber } from './subscriber.ts';

export interface RefundStarterDeps {
  readonly db: Database;
  /**
   * Starts the workflow and records it: it runs, has run, or needs attention because Temporal refuses
   * it. Rejects when that is unknown.
   */
  startRefund(refund: RefundStart): Promise<unknown>;
}

/** The request that accepted a younger refund still starts its workflow. */
const GRACE_MS = 2_000;

export function createRefundStarterSubscriber(deps: RefundStarterDeps): Subscriber {
  return {
    name: 'refund-starter',
    types: ['refund.requested', 'refund.pending', 'refund.external'],
    startsAt: 'beginning',
    maxBatch: 20,
    delayMs: GRACE_MS,
    deadlineMs: 20_000,
    retryDelaysMs: STARTER_RETRY_DELAYS_MS,
    handle: (events, signal) => startUnstarted(deps, events, signal),
  };
}

/** One that cannot be started does not keep the others from being started. */
async function startUnstarted(
  { db, startRefund }: RefundStarterDeps,
  events: readonly LoggedEvent[],
  signal: AbortSignal,
): Promise<void> {
  const errors = new Map<string, unknown>();
  for (const refund of await findUnstartedRefunds(db, events.flatMap(refundsIn))) {
    signal.throwIfAborted();
    await startRefund(refund).catch((error: unknown) => errors.set(refund.refundId, error));
  }
  const failed = events.flatMap((event) =>
    refundsIn(event).flatMap((id) => (errors.has(id) ? [{ event, error: errors.get(id) }] : [])),
  );
  throwFailed(events, failed);
}

function refundsIn({ data }: LoggedEvent): readonly RefundId[] {
  const { refund_id: id } = data;
  return typeof id === 'string' && isRefundId(id) ? [id] : [];
}
