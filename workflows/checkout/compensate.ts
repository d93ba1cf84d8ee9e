/**
 * Cancelling an order: every compensation in reverse order, then an operator's decision about each
 * that failed, then `cancelled`.
 */
import { ApplicationFailure, patched } from '@temporalio/workflow';
import type { CompensationName } from '../../domain/checkout-steps.ts';
import type { FailureType } from '../../domain/failures.ts';
import type { CancelReason } from '../../domain/order.ts';
import { steps } from '../steps.ts';
import type { CompensationOutcome, FailedCompensation } from './saga.ts';
import type { CheckoutRun } from './state.ts';

/** Registers the activity of that name. A shipment that has left the warehouse is `too_late`. */
export function registerCompensation(run: CheckoutRun, name: CompensationName): void {
  const { orderId, saga, progress } = run;
  saga.register({
    name,
    run: async () => {
      const outcome = await progress.track(name, async () => steps[name]({ orderId }));
      if (outcome?.kind !== 'already_shipped') {
        progress.mark(name, 'compensated');
        return 'compensated';
      }
      progress.mark(name, 'refused');
      run.shippedParcel = { ...outcome, kind: 'shipped' };
      return 'too_late';
    },
  });
}

/**
 * Runs in a non-cancellable scope. `too_late`: the parcel has left, nothing was compensated. An order
 * that the database already has as cancelling keeps the reason it has there.
 */
export async function compensateOrder(
  run: CheckoutRun,
  wanted: CancelReason,
): Promise<CompensationOutcome> {
  const { orderId, saga, progress, finishedSteps } = run;
  const { reason, shipmentRequested, shipped, compensated } = await steps.recordCancelling({
    orderId,
    reason: wanted,
    request: run.cancelRequest,
    actor: run.cancelActor,
  });
  if (shipped) {
    run.shippedParcel = shipped;
    return 'too_late';
  }
  run.cancelReason = reason;
  const isSkipped =
    finishedSteps.get('cancelShipment') === 'skipped' && patched('skipped-cancellation');
  // On top, also when a refused cancel had registered it below: a parcel that left must stop the others.
  if (shipmentRequested && !isSkipped) registerCompensation(run, 'cancelShipment');
  progress.enter('cancelling', 'publish');
  const outcome = await saga.compensate(compensated === true ? shippedMeanwhile : null);
  if (outcome.kind === 'too_late') return 'too_late';
  const failed = new Map<string, FailedCompensation>(
    outcome.failed.map((each) => [each.compensation.name, each]),
  );
  while (failed.size > 0) await resolveOne(run, failed);
  await steps.recordCancelled({ orderId, reason });
  progress.enter('cancelled', 'publish');
  return 'compensated';
}

/** An operator decides about one failed compensation: retry it under the same key, or skip it. */
async function resolveOne(
  { attention, progress }: CheckoutRun,
  failed: Map<string, FailedCompensation>,
): Promise<void> {
  const { step, decision } = await attention.requestDecision({
    steps: [...failed.keys()],
    error: [...failed.values()][0]?.error,
    resumes: { retry: 'cancelling', skip: 'cancelling', cancel: 'cancelling' },
  });
  const compensation = failed.get(step)?.compensation;
  if (!compensation) return;
  if (decision === 'skip') {
    failed.delete(step);
    progress.mark(step, 'skipped');
    return;
  }
  try {
    if ((await compensation.run()) === 'too_late') throw shippedMeanwhile();
    failed.delete(step);
  } catch (error) {
    failed.set(step, { compensation, error });
  }
}

/** The other compensations have run: only a person can get the parcel back, or the payment. */
function shippedMeanwhile(): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    'the parcel left before the shipment could be cancelled',
    'not_cancellable' satisfies FailureType,
  );
}
