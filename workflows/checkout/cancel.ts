/**
 * Cancel with a definite answer. Before shipping is requested, the order is cancelled at once.
 * Afterwards the warehouse decides: the parcel stays and the cancel is accepted, or it has left and the
 * cancel is refused. The database, not the history, says whether shipping was requested: a worker may
 * have died between its request and its report to Temporal.
 */
import {
  ApplicationFailure,
  CancellationScope,
  currentUpdateInfo,
  isCancellation,
  TemporalFailure,
} from '@temporalio/workflow';
import { CANCEL_REFUSALS, type CancelRefusal } from '../../domain/cancel-refusal.ts';
import type { FailureType } from '../../domain/failures.ts';
import { cancellingKey } from '../../domain/ids.ts';
import { invalidInput, onUpdate } from '../inputs.ts';
import { cancelRequest } from './inputs.ts';
import { steps } from '../steps.ts';
import { registerCompensation } from './compensate.ts';
import { cancelUpdate, type CancelRequest } from './contract.ts';
import type { CheckoutRun } from './state.ts';

export function handleCancel(run: CheckoutRun): void {
  onUpdate(cancelUpdate, cancelRequest, {
    description:
      'Cancel the order: {"reason": "requested_by_operator", "actor": "your name"}. Accepted with the pending compensations, or refused with the reason.',
    refuse(request) {
      requireName(request);
      refuseUnlessForward(run);
    },
    async handle({ reason, actor = null }) {
      await CancellationScope.nonCancellable(() => cancelShipmentOrRefuse(run));
      refuseUnlessForward(run);
      run.phase = 'compensating';
      run.cancelReason = reason;
      run.cancelRequest = currentUpdateInfo()?.id ?? null;
      run.cancelActor = actor;
      run.forward.cancel();
      return { pendingCompensations: run.saga.pending() };
    },
  });
}

/** The update id of the API has its key; every other caller has to say who cancels. */
function requireName({ actor }: CancelRequest): void {
  const fromApi = cancellingKey(currentUpdateInfo()?.id ?? '') !== null;
  if (!fromApi && actor === undefined) throw invalidInput('input.actor must say who cancels');
}

async function isShippingRequested(run: CheckoutRun): Promise<boolean> {
  if (run.shipping.isRequested()) return true;
  const { requested } = await steps.findShipmentRequest({ orderId: run.orderId });
  if (requested) registerCompensation(run, 'cancelShipment');
  // The order may have reached shipping while the database was read.
  return requested || run.shipping.isRequested();
}

/** Without an answer of the warehouse's the order continues: the caller may ask again. */
async function cancelShipmentOrRefuse(run: CheckoutRun): Promise<void> {
  try {
    if (!(await isShippingRequested(run))) return;
    const outcome = await steps.cancelShipment({ orderId: run.orderId });
    if (outcome.kind === 'cancelled') return;
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    throw notCancellable('warehouse_undecided');
  }
  throw notCancellable('parcel_left');
}

function refuseUnlessForward(run: CheckoutRun): void {
  if (run.phase === 'shipped') throw notCancellable('already_shipped');
  if (run.phase === 'compensating') throw notCancellable('already_cancelling');
}

/** The words are for those who read the history, the detail for the API. */
function notCancellable(refusal: CancelRefusal): ApplicationFailure {
  const type: FailureType = 'not_cancellable';
  return ApplicationFailure.nonRetryable(CANCEL_REFUSALS[refusal], type, refusal);
}
