/**
 * Cancel with a definite answer (G10). Before shipping was asked for, the order turns round at once;
 * afterwards the warehouse decides: either the parcel stays and the cancel is accepted, or it has
 * left and the cancel is refused. Whether it was asked for, our books know better than a history: a
 * worker that died may have asked before Temporal heard of it.
 */
import {
  ApplicationFailure,
  CancellationScope,
  currentUpdateInfo,
  setHandler,
} from '@temporalio/workflow';
import type { FailureType } from '../activities.ts';
import { cancelUpdate, type CancelRequest } from './contract.ts';
import type { CheckoutRun } from './state.ts';
import { steps } from '../steps.ts';
import { registerShipmentCancellation } from './compensate.ts';

export function handleCancel(run: CheckoutRun): void {
  setHandler(
    cancelUpdate,
    async ({ reason }: CancelRequest) => {
      await CancellationScope.nonCancellable(async () => {
        if (await isShippingRequested(run)) await cancelShipmentOrRefuse(run);
      });
      refuseUnlessForward(run);
      run.phase = 'undoing';
      run.cancelReason = reason;
      run.cancelRequest = currentUpdateInfo()?.id ?? null;
      run.forward.cancel();
      return { pendingCompensations: run.saga.names() };
    },
    {
      description:
        'Cancel the order: accepted with what will be undone, or refused with the reason.',
      validator: (_request: CancelRequest) => refuseUnlessForward(run),
    },
  );
}

async function isShippingRequested(run: CheckoutRun): Promise<boolean> {
  if (run.shipping.isRequested()) return true;
  const { requested } = await steps.findShipmentRequest({ orderId: run.orderId });
  if (requested) registerShipmentCancellation(run);
  // The order may have gone on to shipping while the books were read.
  return requested || run.shipping.isRequested();
}

async function cancelShipmentOrRefuse(run: CheckoutRun): Promise<void> {
  const outcome = await steps.cancelShipment({ orderId: run.orderId });
  if (outcome.kind === 'already_shipped') throw notCancellable('the parcel has left the warehouse');
}

function refuseUnlessForward(run: CheckoutRun): void {
  if (run.phase === 'shipped') throw notCancellable('the order has been shipped');
  if (run.phase === 'undoing') throw notCancellable('the order is being cancelled already');
}

function notCancellable(reason: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(reason, 'not_cancellable' satisfies FailureType);
}
