/** Undoing an order: every undo in reverse, then a person for those that failed, then `cancelled`. */
import { ApplicationFailure } from '@temporalio/workflow';
import type { FailureType } from '../activities.ts';
import type { CancelReason } from '../../domain/order.ts';
import type { CheckoutRun } from './state.ts';
import type { FailedUndo, Undone } from './saga.ts';
import { steps } from '../steps.ts';

/** The step that calls a parcel back. */
export const SHIPMENT_CANCELLATION = 'cancelShipment';

/**
 * Runs in a non-cancellable scope. `too_late`: the parcel has left, nothing was undone. An order that
 * our books turned round earlier is undone for the reason they have.
 */
export async function undoOrder(run: CheckoutRun, wanted: CancelReason): Promise<Undone> {
  const { orderId, saga, progress } = run;
  const request = run.cancelRequest;
  const records = await steps.recordCancelling({ orderId, reason: wanted, request });
  if (records.shipped) {
    run.shippedParcel = records.shipped;
    return 'too_late';
  }
  const { reason } = records;
  run.cancelReason = reason;
  if (records.shipmentRequested && !saga.names().includes(SHIPMENT_CANCELLATION))
    registerShipmentCancellation(run);
  progress.enter('cancelling', 'publish');
  const unwound = await saga.unwind();
  if (unwound.kind === 'too_late') return 'too_late';
  const failed = new Map(unwound.failed.map((each) => [each.undo.name, each]));
  for (const name of saga.names()) if (!failed.has(name)) progress.mark(name, 'undone');
  while (failed.size > 0) await settleOne(run, failed);
  await steps.recordCancelled({ orderId, reason });
  progress.enter('cancelled', 'publish');
  return 'undone';
}

/** Calls the parcel back before anything else is undone; one that has left turns the undo round. */
export function registerShipmentCancellation(run: CheckoutRun): void {
  run.saga.register({
    name: SHIPMENT_CANCELLATION,
    run: async () => {
      const outcome = await steps.cancelShipment({ orderId: run.orderId });
      if (outcome.kind === 'cancelled') return 'undone';
      run.shippedParcel = { ...outcome, kind: 'shipped' };
      return 'too_late';
    },
  });
}

/** A person decides about one failed undo: done again under the same key, or settled by hand. */
async function settleOne(run: CheckoutRun, failed: Map<string, FailedUndo>): Promise<void> {
  const { attention, progress } = run;
  const resolution = await attention.ask({
    steps: [...failed.keys()],
    error: [...failed.values()][0]?.error,
    resumes: { retry: 'cancelling', skip: 'cancelling', cancel: 'cancelling' },
  });
  const chosen = failed.get(resolution.step);
  if (!chosen) return;
  if (resolution.decision === 'skip') {
    failed.delete(resolution.step);
    progress.mark(resolution.step, 'skipped');
    return;
  }
  try {
    if ((await chosen.undo.run()) === 'too_late') throw alreadyShippedFailure();
    failed.delete(resolution.step);
    progress.mark(resolution.step, 'undone');
  } catch (error) {
    failed.set(resolution.step, { undo: chosen.undo, error });
  }
}

/** The other undos ran while nobody knew: only a person can get the parcel back, or the money. */
function alreadyShippedFailure(): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    'the parcel left before it could be called back',
    'not_cancellable' satisfies FailureType,
  );
}
