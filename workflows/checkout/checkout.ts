/**
 * The checkout of one order: from placed to shipped, or back to where nothing is held or charged. The
 * API has held the stock and authorized the payment before this starts.
 */
import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  patched,
  setHandler,
  TemporalFailure,
} from '@temporalio/workflow';
import type { Resume } from '../../domain/attention.ts';
import { COMPENSATIONS, FIRST_COMPENSATION } from '../../domain/checkout-steps.ts';
import { checkoutWorkflowId } from '../../domain/ids.ts';
import { formatMoney } from '../../domain/money.ts';
import type { CancelReason } from '../../domain/order.ts';
import { requireInput, takesUndecoded } from '../inputs.ts';
import { failureTypeOf } from '../failure-type.ts';
import { checkoutInput } from './inputs.ts';
import { inspectSteps, steps } from '../steps.ts';
import { handleCancel } from './cancel.ts';
import { compensateOrder, registerCompensation } from './compensate.ts';
import { statusQuery, type CheckoutInput, type CheckoutResult } from './contract.ts';
import { shipManually } from './manual-shipment.ts';
import { createAttention } from './needs-attention.ts';
import { notify } from './notify.ts';
import { createProgress } from './progress.ts';
import { applyResume } from './resume.ts';
import { runStep } from './run-step.ts';
import { createSaga } from './saga.ts';
import { createShipping } from './shipping.ts';
import type { CheckoutRun, Parcel } from './state.ts';

type Outcome =
  | Parcel
  | { readonly kind: 'shipped_manually' }
  | { readonly kind: 'cancelled'; readonly reason: CancelReason };

takesUndecoded(checkout);

export async function checkout(given: CheckoutInput): Promise<CheckoutResult> {
  const input = requireInput(checkoutInput, given, ({ orderId }) => checkoutWorkflowId(orderId));
  const run = begin(input);
  try {
    return await runToTheEnd(run, input.resume);
  } catch (error) {
    // A checkout that the records rule out changes nothing, not even to ask a person.
    const isRefused = failureTypeOf(error) === 'not_eligible';
    if (error instanceof TemporalFailure && !isCancellation(error) && !isRefused) {
      await CancellationScope.nonCancellable(() => run.attention.requestRestart(error));
    }
    throw error;
  }
}

async function runToTheEnd(run: CheckoutRun, resume?: Resume): Promise<CheckoutResult> {
  const outcome = await forwardOrCancelled(run, resume);
  const result = await CancellationScope.nonCancellable(async () => {
    run.phase = outcome.kind === 'cancelled' ? 'compensating' : 'shipped';
    const concluded = await conclude(run, outcome);
    await condition(allHandlersFinished);
    return concluded;
  });
  const isRunCancelled = CancellationScope.current().consideredCancelled;
  if (isRunCancelled && result.status === 'cancelled') {
    throw new CancelledFailure('the workflow was cancelled; the order is compensated');
  }
  return result;
}

/** The happy path. `runStep` registers the compensation of each step before it runs the step. */
async function goForward(run: CheckoutRun): Promise<Outcome> {
  const { orderId, shipping, progress } = run;

  const reserved = await runStep(run, 'reserveStock', () => steps.reserveStock({ orderId }));
  if (reserved.kind === 'refused') return cancelled('warehouse_refused');
  if (reserved.kind === 'abandoned') return cancelled(reserved.reason);
  progress.enter('reserved', 'quiet');

  const captured = await runStep(run, 'capturePayment', () => steps.capturePayment({ orderId }));
  if (captured.kind === 'refused') return cancelled('payment_refused');
  if (captured.kind === 'abandoned') return cancelled(captured.reason);
  progress.enter('paid', 'quiet');

  // Pivot: the payment is captured. From here only a refused shipment or a cancel leads back.
  const shipmentUnderWay = runStep(run, 'shipOrder', () => shipping.ship());
  run.confirmation = notify(run, 'confirmed');
  const shipment = await shipmentUnderWay;
  if (shipment.kind === 'abandoned') return cancelled(shipment.reason);
  if (shipment.kind === 'skipped') return { kind: 'shipped_manually' };
  if (shipment.kind === 'shipped') return shipment;
  // A cancel under way may be what the warehouse reports: then that cancel ends the order.
  if (shipment.kind === 'cancelled' && patched('cancel-first')) {
    await condition(allHandlersFinished);
  }
  await steps.recordShipmentRefused({ orderId });
  return cancelled('shipping_refused');
}

async function forwardOrCancelled(run: CheckoutRun, resume?: Resume): Promise<Outcome> {
  try {
    return await run.forward.run(async () => {
      if (resume === undefined) return goForward(run);
      // Anybody can start this workflow from the Web UI: the records must agree with what it claims.
      await steps.admitResume({ orderId: run.orderId, resume });
      const reason = await applyResume(run, resume);
      return reason === null ? goForward(run) : cancelled(reason);
    });
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return cancelled(run.cancelReason);
  }
}

async function conclude(run: CheckoutRun, outcome: Outcome): Promise<CheckoutResult> {
  switch (outcome.kind) {
    case 'shipped':
      return finish(run, outcome);
    case 'shipped_manually':
      return finish(run, await shipManually(run));
    case 'cancelled':
      return compensate(run, outcome.reason);
  }
}

/** The parcel has left: the order can no longer be cancelled. */
async function finish(run: CheckoutRun, parcel: Parcel): Promise<CheckoutResult> {
  const { orderId, progress } = run;
  const { carrier, trackingNumber } = parcel;
  const recorded = await steps.recordShipped({ orderId, carrier, trackingNumber });
  progress.enter('shipped', 'publish');
  const notifications = [run.confirmation, notify(run, 'shipped')];
  if (recorded?.sms === true) notifications.push(notify(run, 'sms/shipped'));
  await Promise.all(notifications);
  return { status: 'shipped', reason: null };
}

async function compensate(run: CheckoutRun, reason: CancelReason): Promise<CheckoutResult> {
  const outcome = await compensateOrder(run, reason);
  if (outcome === 'too_late' && run.shippedParcel) return finish(run, run.shippedParcel);
  await notify(run, 'cancelled');
  return { status: 'cancelled', reason: run.cancelReason };
}

function cancelled(reason: CancelReason): Outcome {
  return { kind: 'cancelled', reason };
}

function begin(input: CheckoutInput): CheckoutRun {
  const { orderId, totalMinor, currency, inspectable, resume } = input;
  if (inspectable === true) inspectSteps();
  const progress = createProgress(formatMoney({ amountMinor: totalMinor, currency }));
  const run: CheckoutRun = {
    orderId,
    progress,
    saga: createSaga(),
    shipping: createShipping(orderId, { progress, requested: resume?.from === 'paid' }),
    attention: createAttention(orderId, progress),
    forward: new CancellationScope(),
    phase: 'forward',
    // The cancel update replaces it; a cancellation without an update came from the Web UI or the CLI.
    cancelReason: 'requested_by_operator',
    cancelRequest: null,
    cancelActor: null,
    finishedSteps: new Map(),
    confirmation: Promise.resolve(),
    shippedParcel: null,
  };
  // An earlier run may have run every step.
  const due = resume ? COMPENSATIONS : [FIRST_COMPENSATION];
  for (const name of due) registerCompensation(run, name);
  setHandler(statusQuery, () => progress.view(), {
    description: 'Status and steps of the order, and the steps that need a decision.',
  });
  handleCancel(run);
  return run;
}
