/**
 * The payment of an order: capture, and its compensation, void or refund. Each intent is recorded
 * before the provider is called, and a recorded one is looked up before it is repeated: a key that
 * has expired at the provider can never charge twice.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import type { Payment } from '../../domain/payment.ts';
import type { ProviderPayment, SettleRequest } from '../../gateways/payments.ts';
import { caseAskedAt, recordCase } from '../../prisma/payments/cases.ts';
import {
  amountOf,
  recordCaptured,
  recordCaptureRefused,
  recordIntent,
  recordNothingHeld,
  recordVoided,
  type SettleKind,
} from '../../prisma/payments/payments.ts';
import type {
  Activities,
  CapturePaymentOutcome,
  VoidOrRefundOutcome,
} from '../../workflows/activities.ts';
import { requirePayment, type ActivityDependencies } from './dependencies.ts';
import {
  capturedManually,
  providerFailure,
  rejectedRequest,
  requireChanged,
  stillProcessing,
} from '../failures.ts';
import { refundAll, refundRequested } from './refund.ts';
import { withAuthorizationCheck } from './authorization-expiry.ts';

type PaymentActivities = Pick<Activities, 'capturePayment' | 'voidOrRefundPayment'>;

export function createPaymentActivities(deps: ActivityDependencies): PaymentActivities {
  return {
    async capturePayment({ orderId }) {
      const payment = await requirePayment(deps.db, orderId);
      // Store credit pays all of it.
      if (payment.amountMinor === 0)
        return captured(deps, payment, { amountMinor: 0, review: null });
      const step = { orderId, name: 'capture' };
      return withAuthorizationCheck(deps.db, step, () => captureOrLookUp(deps, payment));
    },

    async voidOrRefundPayment({ orderId }) {
      const payment = await requirePayment(deps.db, orderId);
      if (payment.amountMinor === 0) {
        await refundRequested(deps, payment);
        await recordNothingHeld(deps.db, payment);
        return { kind: 'nothing_held' };
      }
      if (payment.providerReference === null) return { kind: 'nothing_held' };
      const actual = await lookUp(deps, payment);
      if (!actual) throw rejectedRequest('void or refund', 'unknown to the provider');
      if (payment.capturedManually && isPaidElsewhere(actual))
        throw capturedManually('void or refund');
      switch (actual.state) {
        case 'authorized':
          return voidAuthorization(deps, payment);
        case 'captured':
          return refundAll(deps, payment, actual);
        case 'voided':
          await recordVoided(deps.db, payment);
          return { kind: 'voided' };
        case 'declined':
        case 'action_required':
          return { kind: 'nothing_held' };
        case 'processing':
          throw stillProcessing('void or refund');
      }
    },
  };
}

async function captureOrLookUp(
  deps: ActivityDependencies,
  payment: Payment,
): Promise<CapturePaymentOutcome> {
  if ((await recordIntent(deps.db, payment, 'capture')) === 'repeated') {
    const settled = await captureOutcomeOf(deps, payment, await lookUp(deps, payment));
    if (settled) return settled;
  }
  return capture(deps, payment);
}

async function capture(
  deps: ActivityDependencies,
  payment: Payment,
): Promise<CapturePaymentOutcome> {
  const { db, payments } = deps;
  const outcome = await payments.capture(requestFor(payment, 'capture'));
  switch (outcome.kind) {
    case 'done':
      return captured(deps, payment, { amountMinor: payment.dueMinor, review: outcome.review });
    case 'refused':
      await recordCaptureRefused(db, payment, outcome.code);
      return { kind: 'refused', code: outcome.code };
    case 'unavailable':
    case 'unknown':
      throw providerFailure('capture', outcome);
  }
}

/** The outcome of an earlier capture; null when it still has to be done. */
async function captureOutcomeOf(
  deps: ActivityDependencies,
  payment: Payment,
  actual: ProviderPayment | null,
): Promise<CapturePaymentOutcome | null> {
  switch (actual?.state) {
    case 'captured':
      return captured(deps, payment, { amountMinor: actual.capturedMinor, review: actual.review });
    case 'voided':
    case 'declined':
    case 'action_required':
      await recordCaptureRefused(deps.db, payment, actual.state);
      return { kind: 'refused', code: actual.state };
    case 'processing':
      throw stillProcessing('capture');
    case 'authorized':
    case undefined:
      return null;
  }
}

/** A review is recorded first: its webhook may be late, and shipping is requested next. */
async function captured(
  deps: ActivityDependencies,
  payment: Payment,
  { amountMinor, review }: { readonly amountMinor: number; readonly review: string | null },
): Promise<CapturePaymentOutcome> {
  const { orderId } = payment;
  if (review !== null) await recordReview(deps, orderId, review);
  requireChanged(orderId, await recordCaptured(deps.db, payment, amountMinor));
  return { kind: 'captured', amountMinor };
}

async function recordReview(
  { db, payments }: ActivityDependencies,
  orderId: OrderId,
  id: string,
): Promise<void> {
  const askedAt = await caseAskedAt(db);
  const looked = await payments.lookUpCase({ kind: 'review', id });
  if (looked.kind === 'absent') return;
  if (looked.kind !== 'found') throw providerFailure('review look-up', looked);
  const { reference: _reference, ...state } = looked.found;
  await recordCase(db, orderId, { state, askedAt });
}

async function voidAuthorization(
  { db, payments }: ActivityDependencies,
  payment: Payment,
): Promise<VoidOrRefundOutcome> {
  await recordIntent(db, payment, 'void');
  const outcome = await payments.voidAuthorization(requestFor(payment, 'void'));
  switch (outcome.kind) {
    case 'done':
      await recordVoided(db, payment);
      return { kind: 'voided' };
    case 'refused':
      // A capture was faster than the void; the next look-up finds it, and it is refunded.
      throw stillProcessing('void');
    case 'unavailable':
    case 'unknown':
      throw providerFailure('void', outcome);
  }
}

/** True when the provider has no capture: the order was paid in another way. */
function isPaidElsewhere({ state }: ProviderPayment): boolean {
  return state !== 'captured' && state !== 'processing';
}

async function lookUp(
  { payments }: ActivityDependencies,
  payment: Payment,
): Promise<ProviderPayment | null> {
  const found = await payments.lookUp({
    orderId: payment.orderId,
    reference: payment.providerReference,
  });
  switch (found.kind) {
    case 'found':
      return found.payment;
    case 'absent':
      return null;
    case 'unavailable':
    case 'unknown':
      throw providerFailure('payment look-up', found);
  }
}

function requestFor(payment: Payment, kind: SettleKind): SettleRequest {
  if (payment.providerReference === null) throw rejectedRequest(kind, 'never authorized');
  return {
    key: providerKey(payment.orderId, kind),
    orderId: payment.orderId,
    reference: payment.providerReference,
    amount: { amountMinor: amountOf(payment, kind), currency: payment.currency },
  };
}
