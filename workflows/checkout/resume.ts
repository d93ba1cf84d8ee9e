/**
 * Going on with an order whose earlier run is gone. The books say what is done and whether the order
 * goes forward or back; whatever is done again is done under its own key, and found done.
 */
import { stageAfterSkip, type CheckoutStage } from '../../domain/attention.ts';
import type { CancelReason } from '../../domain/order.ts';
import type { Resume } from '../../domain/attention.ts';
import type { CheckoutRun } from './state.ts';
import { steps } from '../steps.ts';

/** The forward steps that are behind an order that stands there. */
const COMPLETED_STEPS: Readonly<Record<CheckoutStage, readonly string[]>> = {
  placed: [],
  reserved: ['reserveStock'],
  paid: ['reserveStock', 'capturePayment'],
  cancelling: [],
};

/** Records what was decided, if the order was parked. Returns why to undo; null: go forward. */
export async function applyResume(run: CheckoutRun, resume: Resume): Promise<CancelReason | null> {
  const { orderId, progress, saga, settled } = run;
  const { from, undo, resolution } = resume;
  progress.enter(from, 'quiet');
  for (const step of COMPLETED_STEPS[from]) settled.set(step, 'done');
  if (resume.shippedManually) settled.set('shipOrder', 'skipped');
  if (resolution === null) return undo;
  const skipped = resolution.decision === 'skip' ? resolution.step : null;
  const after = skipped === null ? null : stageAfterSkip(skipped);
  await steps.recordResolved({ orderId, ...resolution, resumes: after ?? from });
  if (skipped !== null) {
    saga.forget(skipped);
    settled.set(skipped, 'skipped');
  }
  return undo;
}
