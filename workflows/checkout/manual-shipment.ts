/**
 * Goods that an operator ships without the warehouse. The request at the warehouse must not become a
 * second parcel, so it is cancelled before the order is marked shipped.
 */
import { TemporalFailure } from '@temporalio/workflow';
import type { CompensationName } from '../../domain/checkout-steps.ts';
import { MANUAL_CARRIER } from '../../domain/shipment.ts';
import { steps } from '../steps.ts';
import type { CheckoutRun, Parcel } from './state.ts';

const MANUAL: Parcel = { kind: 'shipped', carrier: MANUAL_CARRIER, trackingNumber: 'none' };
const STEP: CompensationName = 'cancelShipment';

/**
 * Returns the parcel of the order: the manual one, or the warehouse's when that left first. When the
 * cancellation fails, an operator decides, and may skip it. Runs in a non-cancellable scope.
 */
export async function shipManually(run: CheckoutRun): Promise<Parcel> {
  while (run.finishedSteps.get(STEP) !== 'skipped') {
    try {
      const outcome = await run.progress.track(STEP, () =>
        steps.cancelShipment({ orderId: run.orderId }),
      );
      return outcome.kind === 'cancelled' ? MANUAL : { ...outcome, kind: 'shipped' };
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      await requestDecision(run, error);
    }
  }
  run.progress.mark(STEP, 'skipped');
  return MANUAL;
}

async function requestDecision(
  { attention, finishedSteps }: CheckoutRun,
  error: unknown,
): Promise<void> {
  const { decision } = await attention.requestDecision({
    steps: [STEP],
    error,
    resumes: { retry: 'paid', skip: 'paid', cancel: 'paid' },
  });
  if (decision === 'skip') finishedSteps.set(STEP, 'skipped');
}
