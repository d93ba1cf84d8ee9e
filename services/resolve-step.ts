/**
 * A person's decision about a step that waits. The workflow that waits is told; where it is gone, a
 * new run is started that goes on from the books with the decision in hand.
 */
import { CHECKOUT_STEP, isDecisionAbout } from '../domain/checkout-steps.ts';
import type { OrderId } from '../domain/ids.ts';
import type { Database } from '../prisma/client/client.ts';
import { findOrder } from '../prisma/orders/orders.ts';
import { findCheckoutProgress, markRestarted } from '../prisma/orders/stuck-orders.ts';
import type { Resolution } from '../domain/attention.ts';
import type { CheckoutClient } from '../temporal/checkout-workflows.ts';

export interface ResolveDeps {
  readonly db: Database;
  readonly checkouts: CheckoutClient;
}

/** `begun`: the decision is being carried out. */
export async function resolveStep(
  deps: ResolveDeps,
  orderId: OrderId,
  resolution: Resolution,
): Promise<'begun' | 'not_waiting' | 'unavailable'> {
  // The checkout as a whole waits because nothing carries it: there is nobody to be told.
  if (resolution.step === CHECKOUT_STEP) return restartFromRecords(deps, orderId, resolution);
  const { kind } = await deps.checkouts.resolve(orderId, resolution);
  if (kind === 'resolved') return 'begun';
  return kind === 'gone' ? restartFromRecords(deps, orderId, resolution) : kind;
}

async function restartFromRecords(
  { db, checkouts }: ResolveDeps,
  orderId: OrderId,
  resolution: Resolution,
): Promise<'begun' | 'not_waiting' | 'unavailable'> {
  const { step, decision } = resolution;
  const [order, history] = await Promise.all([
    findOrder(db, orderId),
    findCheckoutProgress(db, orderId),
  ]);
  const waiting = order?.status === 'needs_attention' ? order.attentionStep?.split(', ') : [];
  if (history === null || waiting?.includes(step) !== true) return 'not_waiting';
  if (!isDecisionAbout(step, decision)) return 'not_waiting';
  const isCancelled = decision === 'cancel' || history.from === 'cancelling';
  const cancelReason = isCancelled ? (history.cancelReason ?? 'requested_by_operator') : null;
  // Only a run the sweep found failing may be replaced by a new one.
  const replacing = step === CHECKOUT_STEP;
  const { from, shippedManually } = history;
  const resume = { from, cancelReason, resolution, shippedManually };
  const { kind } = await checkouts.resume(history.start, resume, { replacing });
  if (kind === 'running') return 'not_waiting';
  if (kind === 'unavailable') return kind;
  await markRestarted(db, orderId);
  return 'begun';
}
