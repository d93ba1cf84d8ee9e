/**
 * Refunds: one that was requested, and the rest of a captured payment when its order is compensated.
 * Each is recorded with its key before. The gateway looks for a refund under that key before it makes
 * one, so a refund whose response was lost is found and never repeated. One that the provider accepted
 * without being sure is only looked up from then on.
 */
import { Context } from '@temporalio/activity';
import type { Payment } from '../../domain/payment.ts';
import { cardPartOf, leftOnCard, REFUND_FOLLOWED_MS, type Refund } from '../../domain/refund.ts';
import type { ProviderPayment, RefundOutcome } from '../../gateways/payments.ts';
import { listDeadLetters } from '../../prisma/events/dead-letters.ts';
import {
  listUnacceptedRefunds,
  openRemainingRefund,
} from '../../prisma/payments/compensation-refunds.ts';
import { applyProviderRefund } from '../../prisma/payments/provider-refunds.ts';
import { recordRefundNeedsAttention } from '../../prisma/payments/refund-attention.ts';
import {
  recordRefundFailed,
  recordRefundPending,
  recordRefundSucceeded,
} from '../../prisma/payments/refund-outcomes.ts';
import type {
  Activities,
  RefundPaymentOutcome,
  VoidOrRefundOutcome,
} from '../../workflows/activities.ts';
import { requirePayment, requireRefund, type ActivityDependencies } from './dependencies.ts';
import { providerFailure, rejectedRequest } from '../failures.ts';
import { syncRefunds } from '../provider-refunds.ts';

type RefundActivities = Pick<
  Activities,
  'refundPayment' | 'lookUpRefund' | 'recordRefundNeedsAttention'
>;

export function createRefundActivities(deps: ActivityDependencies): RefundActivities {
  return {
    async refundPayment(ref) {
      const payment = await requirePayment(deps.db, ref.orderId);
      return refundOne(deps, payment, await requireRefund(deps.db, ref));
    },

    async lookUpRefund(ref) {
      return lookUp(deps, await requireRefund(deps.db, ref));
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
 * Refunds everything that was captured. Refunds made at the provider and refunds that were requested
 * before the order was cancelled come first, so that no amount is refunded twice. A refund that the
 * provider has accepted counts, although it is not sure yet: its own workflow follows it.
 */
export async function refundAll(
  deps: ActivityDependencies,
  payment: Payment,
  actual: ProviderPayment,
): Promise<VoidOrRefundOutcome> {
  await refundRequested(deps, payment);
  if (actual.refundedMinor > 0) await syncRefunds(deps, actual.reference);
  return refundRest(deps, payment, actual);
}

/** Requests the order's refunds that the provider has not accepted yet, each under its own key. */
export async function refundRequested(deps: ActivityDependencies, payment: Payment): Promise<void> {
  for (const refund of await listUnacceptedRefunds(deps.db, payment.orderId)) {
    await refundOne(deps, payment, refund);
  }
}

async function refundOne(
  deps: ActivityDependencies,
  payment: Payment,
  refund: Refund,
): Promise<RefundPaymentOutcome> {
  const { amountMinor } = refund;
  if (refund.acceptedAt !== null || settledOutcome(refund) !== null) return lookUp(deps, refund);
  if (cardPartOf(refund) === 0) {
    await recordRefundSucceeded(deps.db, refund, null);
    return { kind: 'refunded', amountMinor };
  }
  const outcome = await requestRefund(deps, payment, refund);
  switch (outcome.kind) {
    case 'done':
      await recordRefundSucceeded(deps.db, refund, outcome.reference);
      return { kind: 'refunded', amountMinor };
    case 'pending':
      await recordRefundPending(deps.db, refund, outcome);
      return currentOutcome(deps, refund);
    case 'refused':
      await recordRefundFailed(deps.db, refund, outcome.code);
      return currentOutcome(deps, refund);
    case 'unavailable':
    case 'unknown':
      throw providerFailure('refund', outcome);
  }
}

/** Looks up a refund that the provider has accepted. It never makes one. */
async function lookUp(deps: ActivityDependencies, refund: Refund): Promise<RefundPaymentOutcome> {
  const { db, payments } = deps;
  const { providerReference } = refund;
  const settled = settledOutcome(refund);
  if (settled !== null) return settled;
  if (providerReference === null) throw rejectedRequest('refund look-up', 'never accepted');
  const found = await payments.lookUpRefund(providerReference);
  switch (found.kind) {
    case 'found':
      await applyProviderRefund(db, found.refund);
      return currentOutcome(deps, refund);
    case 'absent':
      throw rejectedRequest('refund look-up', 'unknown to the provider');
    case 'unavailable':
    case 'unknown':
      throw providerFailure('refund look-up', found);
  }
}

/** As it is recorded now: a webhook may have been faster. */
async function currentOutcome(
  { db }: ActivityDependencies,
  { id: refundId, orderId }: Refund,
): Promise<RefundPaymentOutcome> {
  const refund = await requireRefund(db, { refundId, orderId });
  const settled = settledOutcome(refund);
  if (settled !== null) return settled;
  const { acceptedAt } = refund;
  if (acceptedAt === null) throw rejectedRequest('refund', 'neither accepted nor settled');
  const followForMs = Math.max(0, Date.parse(acceptedAt) + REFUND_FOLLOWED_MS - Date.now());
  return { kind: 'pending', followForMs };
}

function settledOutcome({ status, amountMinor, failureCode }: Refund): RefundPaymentOutcome | null {
  if (status === 'succeeded') return { kind: 'refunded', amountMinor };
  return failureCode === null ? null : { kind: 'refused', code: failureCode };
}

/**
 * A refused refund is a fault here, since the order cannot be compensated, unless less is left by now: then
 * somebody has refunded a part at the provider meanwhile.
 */
async function refundRest(
  deps: ActivityDependencies,
  payment: Payment,
  actual: ProviderPayment,
): Promise<VoidOrRefundOutcome> {
  const { db } = deps;
  const rest = await openRemainingRefund(db, payment, actual.capturedMinor);
  if (rest === null) return { kind: 'refunded', amountMinor: 0 };
  const refunded = { kind: 'refunded', amountMinor: rest.amountMinor } as const;
  if (rest.status !== 'requested') return refunded;
  const outcome = await requestRefund(deps, payment, rest);
  switch (outcome.kind) {
    case 'done':
      await recordRefundSucceeded(db, rest, outcome.reference);
      return refunded;
    case 'pending':
      await recordRefundPending(db, rest, outcome);
      return refunded;
    case 'refused':
      // A local attempt is repeated by a durable one, which records the refusal once.
      if (Context.current().info.isLocal) throw rejectedRequest('refund', outcome.code);
      // It claims nothing any more, so that a refund made at the provider can be recorded.
      await recordRefundFailed(db, rest, outcome.code);
      await syncRefunds(deps, actual.reference);
      if (leftOnCard(await requirePayment(db, payment.orderId)) < rest.amountMinor) {
        return refundRest(deps, payment, actual);
      }
      throw rejectedRequest('refund', outcome.code);
    case 'unavailable':
    case 'unknown':
      throw providerFailure('refund', outcome);
  }
}

async function requestRefund(
  { payments }: ActivityDependencies,
  payment: Payment,
  refund: Refund,
): Promise<RefundOutcome> {
  const { key, orderId, currency } = refund;
  const amount = { amountMinor: cardPartOf(refund), currency };
  return payments.refund({ key, orderId, reference: requireReference(payment), amount });
}

function requireReference({ providerReference }: Payment): string {
  if (providerReference === null) throw rejectedRequest('refund', 'never authorized');
  return providerReference;
}
