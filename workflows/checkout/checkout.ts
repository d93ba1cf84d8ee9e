/**
 * The checkout of one order: from accepted to shipped, or back to where nothing is held. The API has
 * held the stock and authorized the payment before this starts.
 */
import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  setHandler,
} from '@temporalio/workflow';
import { formatMoney } from '../../domain/money.ts';
import type { CancelReason } from '../../domain/order.ts';
import { createAttention } from './needs-attention.ts';
import { runStep } from './run-step.ts';
import { handleCancel } from './cancel.ts';
import type { Resume } from '../../domain/attention.ts';
import { statusQuery, type CheckoutInput, type CheckoutResult } from './contract.ts';
import { notify } from './notify.ts';
import { createProgress } from './progress.ts';
import { applyResume } from './resume.ts';
import type { CheckoutRun, Parcel } from './state.ts';
import { createSaga } from './saga.ts';
import { shipManually } from './manual-shipment.ts';
import { createShipping } from './shipping.ts';
import { steps } from '../steps.ts';
import { registerShipmentCancellation, undoOrder } from './compensate.ts';

type Outcome =
  | Parcel
  | { readonly kind: 'shipped_manually' }
  | { readonly kind: 'undo'; readonly reason: CancelReason };

export async function checkout(input: CheckoutInput): Promise<CheckoutResult> {
  const run = begin(input);
  const outcome = await forwardOrCancelled(run, input.resume);
  const result = await CancellationScope.nonCancellable(async () => {
    run.phase = outcome.kind === 'undo' ? 'undoing' : 'shipped';
    const settled = await settle(run, outcome);
    await condition(allHandlersFinished);
    return settled;
  });
  const cancelledFromOutside = CancellationScope.current().consideredCancelled;
  if (cancelledFromOutside && result.status === 'cancelled') {
    throw new CancelledFailure('the workflow was cancelled; everything is undone');
  }
  return result;
}

/** The happy path, read top to bottom. Each undo is registered before its do. */
async function goForward(run: CheckoutRun): Promise<Outcome> {
  const { orderId, shipping, progress } = run;

  registerRelease(run);
  const reserved = await runStep(run, 'reserveStock', () => steps.reserveStock({ orderId }));
  if (reserved.kind === 'refused') return { kind: 'undo', reason: 'warehouse_refused' };
  if (reserved.kind === 'abandoned') return { ...reserved, kind: 'undo' };
  progress.enter('reserved', 'quiet');

  // Moves to the top of the stack: from here it undoes the capture, not only the authorization.
  registerMoneyUndo(run);
  const captured = await runStep(run, 'capturePayment', () => steps.capturePayment({ orderId }));
  if (captured.kind === 'refused') return { kind: 'undo', reason: 'payment_refused' };
  if (captured.kind === 'abandoned') return { ...captured, kind: 'undo' };
  progress.enter('paid', 'publish');

  // Pivot: the money is taken. Only a refusal to ship or a cancel turns the order round now.
  registerShipmentCancellation(run);
  const shippingUnderWay = runStep(run, 'shipOrder', () => shipping.ship());
  run.confirmation = notify(run, 'confirmed');
  const shipped = await shippingUnderWay;
  if (shipped.kind === 'abandoned') return { ...shipped, kind: 'undo' };
  if (shipped.kind === 'skipped') return { kind: 'shipped_manually' };
  if (shipped.kind === 'shipped') return shipped;
  await steps.recordShipmentRefused({ orderId });
  return { kind: 'undo', reason: 'shipping_refused' };
}

async function forwardOrCancelled(run: CheckoutRun, resume?: Resume): Promise<Outcome> {
  try {
    return await run.forward.run(async () => {
      const reason = resume ? await applyResume(run, resume) : null;
      return reason === null ? goForward(run) : { kind: 'undo', reason };
    });
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return { kind: 'undo', reason: run.cancelReason };
  }
}

async function settle(run: CheckoutRun, outcome: Outcome): Promise<CheckoutResult> {
  switch (outcome.kind) {
    case 'shipped':
      return finish(run, outcome);
    case 'shipped_manually':
      return finish(run, await shipManually(run));
    case 'undo':
      return undo(run, outcome.reason);
  }
}

/** The parcel has left: nothing below this can be cancelled. */
async function finish(run: CheckoutRun, parcel: Parcel): Promise<CheckoutResult> {
  const { orderId, progress } = run;
  const { carrier, trackingNumber } = parcel;
  await steps.recordShipped({ orderId, carrier, trackingNumber });
  progress.enter('shipped', 'publish');
  await Promise.all([run.confirmation, notify(run, 'shipped')]);
  return { status: 'shipped', reason: null };
}

async function undo(run: CheckoutRun, reason: CancelReason): Promise<CheckoutResult> {
  const undone = await undoOrder(run, reason);
  if (undone === 'too_late' && run.shippedParcel) return finish(run, run.shippedParcel);
  await notify(run, 'cancelled');
  return { status: 'cancelled', reason: run.cancelReason };
}

function registerRelease({ orderId, saga }: CheckoutRun): void {
  saga.register({ name: 'releaseStock', run: () => done(steps.releaseStock({ orderId })) });
}

function registerMoneyUndo({ orderId, saga }: CheckoutRun): void {
  saga.register({
    name: 'voidOrRefundPayment',
    run: () => done(steps.voidOrRefundPayment({ orderId })),
  });
}

async function done(work: Promise<unknown>): Promise<'undone'> {
  await work;
  return 'undone';
}

function begin(input: CheckoutInput): CheckoutRun {
  const { orderId, totalMinor, currency } = input;
  const progress = createProgress(formatMoney({ amountMinor: totalMinor, currency }));
  const run: CheckoutRun = {
    orderId,
    progress,
    saga: createSaga(),
    shipping: createShipping(orderId, { requested: input.resume?.from === 'paid' }),
    attention: createAttention(orderId, progress),
    forward: new CancellationScope(),
    phase: 'forward',
    // Overwritten by the update; a cancellation without it came from the Web UI or the CLI.
    cancelReason: 'requested_by_operator',
    cancelRequest: null,
    settled: new Map(),
    confirmation: Promise.resolve(),
    shippedParcel: null,
  };
  // What an earlier run may have done has its undo too, before anything else happens.
  if (input.resume) registerRelease(run);
  // The API authorized the payment before this began: its undo is due whatever happens first.
  registerMoneyUndo(run);
  if (input.resume) registerShipmentCancellation(run);
  setHandler(statusQuery, () => progress.view(), {
    description: 'Where the order stands: status, steps, and what waits for a person.',
  });
  handleCancel(run);
  return run;
}
