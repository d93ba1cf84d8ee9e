/** A forward step that a person is asked about when its retries are used up. */
import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  TemporalFailure,
} from '@temporalio/workflow';
import type { FailureType } from '../activities.ts';
import type { CancelReason } from '../../domain/order.ts';
import type { CheckoutRun } from './state.ts';

type ForwardStep = 'reserveStock' | 'capturePayment' | 'shipOrder';

/** Where the order stands before a step, and after a person took the step as settled by hand. */
const STAGE_OF = {
  reserveStock: { before: 'placed', after: 'reserved' },
  capturePayment: { before: 'reserved', after: 'paid' },
  shipOrder: { before: 'paid', after: 'paid' },
} as const;

const EXPIRING = 'authorization_expiring';

/** `abandoned`: a person or the clock decided to undo the order. */
type StepResult<T> =
  T | { readonly kind: 'skipped' } | { readonly kind: 'abandoned'; readonly reason: CancelReason };

/**
 * Runs the step until it has an answer. Nothing is taken before the reservation, so its deadline
 * undoes the order without asking; later steps park it.
 */
export async function runStep<T>(
  run: CheckoutRun,
  step: ForwardStep,
  work: () => Promise<T>,
): Promise<StepResult<T>> {
  const settled = run.settled.get(step);
  if (settled !== undefined) return skipped(run, step, settled);
  try {
    return await runOrEscalate(run, step, work);
  } catch (error) {
    // The task that turned the order round was lost with its worker; what it wrote down was not.
    if (!isFailure(error, 'order_cancelling')) throw error;
    return { kind: 'abandoned', reason: run.cancelReason };
  }
}

async function runOrEscalate<T>(
  run: CheckoutRun,
  step: ForwardStep,
  work: () => Promise<T>,
): Promise<StepResult<T>> {
  for (;;) {
    try {
      return await run.progress.track(step, work);
    } catch (error) {
      if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
      if (isFailure(error, 'order_cancelling')) throw error;
      if (isFailure(error, EXPIRING)) return { kind: 'abandoned', reason: EXPIRING };
      if (step === 'reserveStock') return { kind: 'abandoned', reason: 'deadline_passed' };
      const { before, after } = STAGE_OF[step];
      const { decision, reason } = await run.attention.ask({
        steps: [step],
        error,
        resumes: { retry: before, cancel: before, skip: after },
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

function isFailure(error: unknown, type: FailureType): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type === type;
}
