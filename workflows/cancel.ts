/**
 * Cancel with a definite answer (G10). Before shipping was asked for, the order turns round at once;
 * afterwards the warehouse decides: either the parcel stays and the cancel is accepted, or it has
 * left and the cancel is refused.
 */
import {
  ApplicationFailure,
  CancellationScope,
  currentUpdateInfo,
  setHandler,
} from '@temporalio/workflow';
import type { FailureType } from '../activities/contract.ts';
import { cancelUpdate, type CancelRequest } from './contract.ts';
import type { CheckoutRun } from './run.ts';
import { steps } from './steps.ts';

export function handleCancel(run: CheckoutRun): void {
  setHandler(
    cancelUpdate,
    async ({ reason }: CancelRequest) => {
      if (run.shipping.isRequested()) {
        await CancellationScope.nonCancellable(() => callParcelBack(run));
      }
      refuseUnlessForward(run);
      run.phase = 'undoing';
      run.cancelReason = reason;
      run.cancelRequest = currentUpdateInfo()?.id ?? null;
      run.forward.cancel();
      return { willUndo: run.saga.names() };
    },
    {
      description:
        'Cancel the order: accepted with what will be undone, or refused with the reason.',
      validator: (_request: CancelRequest) => refuseUnlessForward(run),
    },
  );
}

async function callParcelBack(run: CheckoutRun): Promise<void> {
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
