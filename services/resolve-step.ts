/**
 * An operator's decision about a waiting step. It goes to the waiting workflow. If no workflow is
 * running, a new run starts from the database and applies the decision.
 */
import type { Resolution } from '../domain/attention.ts';
import { CHECKOUT_STEP, isDecisionAbout } from '../domain/checkout-steps.ts';
import type { OrderId } from '../domain/ids.ts';
import type { Database } from '../prisma/client/client.ts';
import { findOrder } from '../prisma/orders/orders.ts';
import { findCheckoutProgress, markRestarted } from '../prisma/orders/stuck-orders.ts';
import type { CheckoutClient } from '../temporal/checkout-client.ts';

export interface ResolveDeps {
  readonly db: Database;
  readonly checkouts: CheckoutClient;
}

/** `rejected`: Temporal refuses to start the workflow. */
export type StepDecisionOutcome = 'started' | 'not_waiting' | 'unavailable' | 'rejected';

export async function resolveStep(
  deps: ResolveDeps,
  orderId: OrderId,
  resolution: Resolution,
): Promise<StepDecisionOutcome> {
  // The step `checkout` waits because no workflow runs, so there is none to send the decision to.
  if (resolution.step === CHECKOUT_STEP) return restartFromRecords(deps, orderId, resolution);
  const { kind } = await deps.checkouts.resolve(orderId, resolution);
  if (kind === 'resolved') return 'started';
  return kind === 'not_running' ? restartFromRecords(deps, orderId, resolution) : kind;
}

async function restartFromRecords(
  { db, checkouts }: ResolveDeps,
  orderId: OrderId,
  resolution: Resolution,
): Promise<StepDecisionOutcome> {
  const { step, decision } = resolution;
  const [order, progress] = await Promise.all([
    findOrder(db, orderId),
    findCheckoutProgress(db, orderId),
  ]);
  const waiting = order?.status === 'needs_attention' ? order.attentionStep?.split(', ') : [];
  if (progress === null || waiting?.includes(step) !== true) return 'not_waiting';
  if (!isDecisionAbout(step, decision)) return 'not_waiting';
  const isCancelled = decision === 'cancel' || progress.from === 'cancelling';
  const cancelReason = isCancelled ? (progress.cancelReason ?? 'requested_by_operator') : null;
  // Only a run that fails may be replaced: it may have recovered since the sweep found it failing.
  const replacing = step === CHECKOUT_STEP && (await checkouts.inspect(orderId)).kind === 'failing';
  const { from, shippedManually } = progress;
  const resume = { from, cancelReason, resolution, shippedManually };
  const { kind } = await checkouts.resume(progress.start, resume, { replacing });
  if (kind === 'running') return 'not_waiting';
  if (kind !== 'resumed') return kind;
  await markRestarted(db, orderId);
  return 'started';
}
