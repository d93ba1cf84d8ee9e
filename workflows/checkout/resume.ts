/**
 * Continuing an order whose earlier run is gone. The database says which steps are done and whether
 * the order goes forward or is cancelled. A step that runs again uses the same key and finds its effect.
 */
import type { Resume } from '../../domain/attention.ts';
import { completedSteps, stageAfterSkip } from '../../domain/checkout-steps.ts';
import type { CancelReason } from '../../domain/order.ts';
import { steps } from '../steps.ts';
import type { CheckoutRun } from './state.ts';

/** Records the decision, if there is one. Returns why to cancel the order; null: go forward. */
export async function applyResume(run: CheckoutRun, resume: Resume): Promise<CancelReason | null> {
  const { orderId, progress, saga, finishedSteps } = run;
  const { from, cancelReason, resolution } = resume;
  progress.enter(from, 'quiet');
  for (const step of completedSteps(from)) finishedSteps.set(step, 'done');
  if (resume.shippedManually) finishedSteps.set('shipOrder', 'skipped');
  if (resolution === null) return cancelReason;
  const skipped = resolution.decision === 'skip' ? resolution.step : null;
  const after = skipped === null ? null : stageAfterSkip(skipped);
  await steps.recordResolved({ orderId, ...resolution, resumes: after ?? from });
  if (skipped !== null) {
    saga.remove(skipped);
    finishedSteps.set(skipped, 'skipped');
  }
  return cancelReason;
}
