/**
 * Asking for a refund: judged against the books in the order's turn, written down with its provider
 * key, answered. The money moves afterwards, in a workflow that is started and not waited for.
 */
import { formatMoney } from '../domain/money.ts';
import type { NotRefundableReason } from '../domain/refund.ts';
import type { Database } from '../prisma/client.ts';
import { inspectKey, type KeyClaim, type StoredAnswer } from '../prisma/idempotency.ts';
import {
  markRefundStarted,
  requestRefund,
  type RefundRequest,
  type RefundStart,
  type RequestRefundOutcome,
} from '../prisma/refunds.ts';
import type { Order } from '../domain/order.ts';
import { inFlight, keyReused } from './order-answers.ts';
import type { Problem } from './problems.ts';
import type { Refunds } from './refunds.ts';
import { refundBody } from './representations.ts';
import type { Starts } from './starts.ts';

export interface RefundDeps {
  readonly db: Database;
  readonly refunds: Refunds;
  readonly starts: Starts;
}

export type RefundOrderOutcome =
  | { readonly kind: 'accepted'; readonly answer: StoredAnswer; readonly replayed: boolean }
  | { readonly kind: 'refused'; readonly problem: Problem };

export type RefundOrderRequest = Pick<
  RefundRequest,
  'amountMinor' | 'reason' | 'actor' | 'claim'
> & { readonly correlationId: string };

export async function refundOrder(
  deps: RefundDeps,
  order: Order,
  { correlationId, ...request }: RefundOrderRequest,
): Promise<RefundOrderOutcome> {
  const before = await answered(deps.db, request.claim);
  if (before) return before;
  const outcome = await requestRefund(deps.db, {
    ...request,
    orderId: order.id,
    answer: (refund) => ({ status: 202, body: JSON.stringify(refundBody(refund)) }),
  });
  if (outcome.kind === 'requested') {
    const { id: refundId, amountMinor, currency } = outcome.refund;
    startSoon(deps, { refundId, orderId: order.id, amountMinor, currency, correlationId });
    return { kind: 'accepted', answer: outcome.answer, replayed: false };
  }
  // It may be this very request that took what was left, sent twice at once.
  const meanwhile = await answered(deps.db, request.claim);
  return meanwhile ?? { kind: 'refused', problem: refusalOf(outcome) };
}

/** What the key has been answered with, or null when it is free. */
async function answered(db: Database, claim: KeyClaim): Promise<RefundOrderOutcome | null> {
  const key = await inspectKey(db, claim);
  switch (key.kind) {
    case 'free':
      return null;
    case 'answered':
      return { kind: 'accepted', answer: key.answer, replayed: true };
    case 'other_request':
      return { kind: 'refused', problem: keyReused() };
    case 'in_flight':
    case 'abandoned':
      return { kind: 'refused', problem: inFlight() };
  }
}

/** After the commit and without waiting; what is lost here is started from the event log. */
function startSoon({ db, refunds, starts }: RefundDeps, refund: RefundStart): void {
  const { refundId, orderId } = refund;
  const start = async (): Promise<void> => {
    const { kind } = await refunds.start(refund);
    if (kind !== 'unavailable') await markRefundStarted(db, refundId);
  };
  starts.begin(start, { refund_id: refundId, order_id: orderId });
}

function refusalOf(outcome: Exclude<RequestRefundOutcome, { kind: 'requested' }>): Problem {
  switch (outcome.kind) {
    case 'key_taken':
      return inFlight();
    case 'not_refundable': {
      const { reason } = outcome;
      return { code: 'not_refundable', detail: WHAT_INSTEAD[reason], members: { reason } };
    }
    case 'exceeds': {
      const { leftMinor, currency } = outcome;
      const left = formatMoney({ amountMinor: leftMinor, currency });
      return {
        code: 'refund_exceeds_captured',
        detail: `${left} can still be given back.`,
        members: { refundable_minor: leftMinor, currency },
      };
    }
  }
}

const WHAT_INSTEAD: Readonly<Record<NotRefundableReason, string>> = {
  captured_by_hand: 'The money was captured by hand. Give it back by hand as well.',
  not_captured: 'No money was taken. Cancel the order instead: what is held is let go.',
  being_cancelled: 'The order is being cancelled, which gives everything back by itself.',
  already_cancelled: 'The order was cancelled, and nothing of it stays charged.',
  too_many_refunds: 'The order has as many refunds as it can have.',
};
