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
const STANDS = {
  reserveStock: { before: 'placed', after: 'reserved' },
  capturePayment: { before: 'reserved', after: 'paid' },
  shipOrder: { before: 'paid', after: 'paid' },
} as const;

const EXPIRING = 'authorization_expiring';

/** `given_up`: a person or the clock decided to undo the order. */
type Attended<T> =
  T | { readonly kind: 'skipped' } | { readonly kind: 'given_up'; readonly reason: CancelReason };

/**
 * Runs the step until it has an answer. Nothing is taken before the reservation, so its deadline
 * undoes the order without asking; later steps park it.
 */
export async function attend<T>(
  run: CheckoutRun,
  step: ForwardStep,
  work: () => Promise<T>,
): Promise<Attended<T>> {
  const settled = run.settled.get(step);
  if (settled !== undefined) return skipped(run, step, settled);
  try {
    return await runOrAsk(run, step, work);
  } catch (error) {
    // The task that turned the order round was lost with its worker; what it wrote down was not.
    if (!isFailure(error, 'order_turned_round')) throw error;
    return { kind: 'given_up', reason: run.cancelReason };
  }
}

async function runOrAsk<T>(
  run: CheckoutRun,
  step: ForwardStep,
  work: () => Promise<T>,
): Promise<Attended<T>> {
  for (;;) {
    try {
      return await run.progress.track(step, work);
    } catch (error) {
      if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
      if (isFailure(error, 'order_turned_round')) throw error;
      if (isFailure(error, EXPIRING)) return { kind: 'given_up', reason: EXPIRING };
      if (step === 'reserveStock') return { kind: 'given_up', reason: 'deadline_passed' };
      const { before, after } = STANDS[step];
      const { decision, reason } = await run.attention.ask({
        steps: [step],
        error,
        resumes: { retry: before, cancel: before, skip: after },
      });
      if (decision === 'cancel') return { kind: 'given_up', reason };
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
