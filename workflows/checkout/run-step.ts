/** Runs a forward step; when it fails for good or its retry budget is used up, an operator decides. */
import { isCancellation, TemporalFailure } from '@temporalio/workflow';
import { checkoutStep, type ForwardStep } from '../../domain/checkout-steps.ts';
import type { CancelReason } from '../../domain/order.ts';
import { failureTypeOf, retryClassOfError } from '../failure-type.ts';
import { registerCompensation } from './compensate.ts';
import type { CheckoutRun } from './state.ts';

const EXPIRING = 'authorization_expiring';

/** `skipped`: done before, or manually. `abandoned`: an operator or a deadline cancels the order. */
type StepResult<T> =
  T | { readonly kind: 'skipped' } | { readonly kind: 'abandoned'; readonly reason: CancelReason };

/** Registers the step's compensation, then runs the step until it has a result. */
export async function runStep<T>(
  run: CheckoutRun,
  step: ForwardStep,
  work: () => Promise<T>,
): Promise<StepResult<T>> {
  registerCompensation(run, checkoutStep(step).compensation.name);
  const finished = run.finishedSteps.get(step);
  if (finished !== undefined) return skipped(run, step, finished);
  try {
    return await runOrEscalate(run, step, work);
  } catch (error) {
    // An earlier task recorded the order as cancelling, and was lost with its worker.
    if (failureTypeOf(error) !== 'order_cancelling') throw error;
    return { kind: 'abandoned', reason: run.cancelReason };
  }
}

async function runOrEscalate<T>(
  run: CheckoutRun,
  step: ForwardStep,
  work: () => Promise<T>,
): Promise<StepResult<T>> {
  const { stage, budgetUsedUp } = checkoutStep(step);
  for (;;) {
    try {
      return await run.progress.track(step, work);
    } catch (error) {
      if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
      const type = failureTypeOf(error);
      if (type === 'order_cancelling' || type === 'not_eligible') throw error;
      if (type === EXPIRING) return { kind: 'abandoned', reason: EXPIRING };
      const isOutage = retryClassOfError(error) === 'outage';
      if (isOutage && budgetUsedUp === 'cancel') {
        return { kind: 'abandoned', reason: 'deadline_passed' };
      }
      const { decision, reason } = await run.attention.requestDecision({
        steps: [step],
        error,
        resumes: { retry: stage.before, cancel: stage.before, skip: stage.after },
      });
      if (decision === 'cancel') return { kind: 'abandoned', reason };
      if (decision === 'skip') return skipped(run, step, 'skipped');
    }
  }
}

function skipped({ progress }: CheckoutRun, step: ForwardStep, as: 'done' | 'skipped') {
  progress.mark(step, as);
  return { kind: 'skipped' } as const;
}
