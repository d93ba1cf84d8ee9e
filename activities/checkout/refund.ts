/**
 * Refunds: one that was requested, and the rest of a captured payment when its order is compensated.
 * Each is recorded with its key before. The gateway looks for a refund under that key before it makes
 * one, so a refund whose response was lost is found and never repeated.
 */
import type { Payment } from '../../domain/order.ts';
import { cardPartOf, type Refund } from '../../domain/refund.ts';
import type { ProviderPayment, SettleOutcome } from '../../gateways/payments.ts';
import { listDeadLetters } from '../../prisma/events/dead-letters.ts';
import {
  listOpenRefunds,
  openRemainingRefund,
  recordRefundFailed,
  recordRefundNeedsAttention,
  recordRefundSucceeded,
} from '../../prisma/payments/refund-outcomes.ts';
import type {
  Activities,
  RefundPaymentOutcome,
  VoidOrRefundOutcome,
} from '../../workflows/activities.ts';
import { requirePayment, requireRefund, type ActivityDependencies } from './dependencies.ts';
import { providerFailure, rejectedRequest } from '../failures.ts';

type RefundActivities = Pick<Activities, 'refundPayment' | 'recordRefundNeedsAttention'>;

export function createRefundActivities(deps: ActivityDependencies): RefundActivities {
  return {
    async refundPayment(ref) {
      const payment = await requirePayment(deps.db, ref.orderId);
      return refundOne(deps, payment, await requireRefund(deps.db, ref));
    },

    async recordRefundNeedsAttention({ failure, ...ref }) {
      await recordRefundNeedsAttention(deps.db, await requireRefund(deps.db, ref), failure);
      const filter = { source: 'refund', subject: ref.refundId } as const;
      const { deadLetters } = await listDeadLetters(deps.db, filter, { limit: 1 });
      return { deadLetterId: deadLetters[0]?.id ?? null };
    },
  };
}

/**
 * Refunds everything that was captured. Refunds that were requested before the order was cancelled
 * come first, so that no amount is refunded twice.
 */
export async function refundAll(
  deps: ActivityDependencies,
  payment: Payment,
  actual: ProviderPayment,
): Promise<VoidOrRefundOutcome> {
  const { db } = deps;
  await refundRequested(deps, payment);
  const rest = await openRemainingRefund(db, payment);
  if (rest === null) return { kind: 'refunded', amountMinor: 0 };
  if (rest.status !== 'succeeded') {
    const reference = await refundRest(deps, { payment, refund: rest, actual });
    await recordRefundSucceeded(db, rest, reference);
  }
  return { kind: 'refunded', amountMinor: rest.amountMinor };
}

/** Settles the order's requested refunds, each under its own key. */
export async function refundRequested(deps: ActivityDependencies, payment: Payment): Promise<void> {
  for (const refund of await listOpenRefunds(deps.db, payment.orderId)) {
    await refundOne(deps, payment, refund);
  }
}

async function refundOne(
  deps: ActivityDependencies,
  payment: Payment,
  refund: Refund,
): Promise<RefundPaymentOutcome> {
  const { amountMinor } = refund;
  if (refund.status === 'succeeded') return { kind: 'refunded', amountMinor };
  if (refund.failureCode !== null) return { kind: 'refused', code: refund.failureCode };
  if (cardPartOf(refund) === 0) {
    await recordRefundSucceeded(deps.db, refund, null);
    return { kind: 'refunded', amountMinor };
  }
  const outcome = await requestRefund(deps, payment, refund);
  switch (outcome.kind) {
    case 'done':
      // The payment's own reference: it is refunded in full, and not by this refund.
      if (outcome.reference === payment.providerReference) {
        return refuse(deps, refund, 'charge_already_refunded');
      }
      await recordRefundSucceeded(deps.db, refund, outcome.reference);
      return { kind: 'refunded', amountMinor };
    case 'refused':
      return refuse(deps, refund, outcome.code);
    case 'unavailable':
    case 'unknown':
      throw providerFailure('refund', outcome);
  }
}

async function refuse(
  { db }: ActivityDependencies,
  refund: Refund,
  code: string,
): Promise<RefundPaymentOutcome> {
  await recordRefundFailed(db, refund, code);
  return { kind: 'refused', code };
}

/** Returns the provider's reference. A refused refund is a fault here: the order cannot be compensated. */
async function refundRest(
  deps: ActivityDependencies,
  rest: { readonly payment: Payment; readonly refund: Refund; readonly actual: ProviderPayment },
): Promise<string> {
  const { payment, refund, actual } = rest;
  if (actual.refundedMinor === actual.capturedMinor) return actual.reference;
  const outcome = await requestRefund(deps, payment, refund);
  if (outcome.kind === 'refused') throw rejectedRequest('refund', outcome.code);
  if (outcome.kind !== 'done') throw providerFailure('refund', outcome);
  return outcome.reference;
}

async function requestRefund(
  { payments }: ActivityDependencies,
  payment: Payment,
  refund: Refund,
): Promise<SettleOutcome> {
  const { key, orderId, currency } = refund;
  if (payment.providerReference === null) throw rejectedRequest('refund', 'never authorized');
  const amount = { amountMinor: cardPartOf(refund), currency };
  return payments.refund({ key, orderId, reference: payment.providerReference, amount });
}
