/** A forward step that a person is asked about when its retries are used up. */
import { isCancellation, TemporalFailure } from '@temporalio/workflow';
import type { CheckoutRun } from './run.ts';

type ForwardStep = 'reserveStock' | 'capturePayment' | 'shipOrder';

/** Where the order stands before a step, and after a person took the step as settled by hand. */
const STANDS = {
  reserveStock: { before: 'placed', after: 'reserved' },
  capturePayment: { before: 'reserved', after: 'paid' },
  shipOrder: { before: 'paid', after: 'paid' },
} as const;

/** `given_up`: a person (or, for reserving, the deadline) decided to undo the order. */
type Attended<T> = T | { readonly kind: 'skipped' } | { readonly kind: 'given_up' };

/**
 * Runs the step until it has an answer. Nothing is taken before the reservation, so its deadline
 * undoes the order without asking; later steps park it.
 */
export async function attend<T>(
  run: CheckoutRun,
  step: ForwardStep,
  work: () => Promise<T>,
): Promise<Attended<T>> {
  for (;;) {
    try {
      return await run.progress.track(step, work);
    } catch (error) {
      if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
      if (step === 'reserveStock') return { kind: 'given_up' };
      const { before, after } = STANDS[step];
      const { decision } = await run.attention.ask({
        steps: [step],
        error,
        resumes: { retry: before, cancel: before, skip: after },
      });
      if (decision === 'cancel') return { kind: 'given_up' };
      if (decision === 'retry') continue;
      run.progress.mark(step, 'skipped');
      return { kind: 'skipped' };
    }
  }
}
