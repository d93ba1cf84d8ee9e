/**
 * Asking for a refund: judged against the books in the order's turn, written down with its provider
 * key, answered. The money moves afterwards, in a workflow that is started and not waited for.
 */
import { formatMoney } from '../../domain/money.ts';
import type { NotRefundableReason } from '../../domain/refund.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  markRefundStarted,
  requestRefund,
  type RefundRequest,
  type RefundStart,
  type RequestRefundOutcome,
} from '../../prisma/payments/refunds.ts';
import type { Order } from '../../domain/order.ts';
import type { Problem } from '../http/problems.ts';
import type { RefundClient } from '../../temporal/refund-client.ts';
import { refundBody } from './representations.ts';
import type { BackgroundStarts } from '../../services/background-starts.ts';
import { refused, withIdempotencyKey, type IdempotentOutcome } from '../http/idempotent.ts';

export interface RefundDeps {
  readonly db: Database;
  readonly refunds: RefundClient;
  readonly starts: BackgroundStarts;
}

export type RefundOrderRequest = Pick<
  RefundRequest,
  'amountMinor' | 'reason' | 'actor' | 'claim'
> & { readonly correlationId: string };

export function refundOrder(
  deps: RefundDeps,
  order: Order,
  { correlationId, ...request }: RefundOrderRequest,
): Promise<IdempotentOutcome> {
  return withIdempotencyKey(deps.db, request.claim, async () => {
    const outcome = await requestRefund(deps.db, {
      ...request,
      orderId: order.id,
      answer: (refund) => ({ status: 202, body: JSON.stringify(refundBody(refund)) }),
    });
    if (outcome.kind !== 'requested') return refused(problemOf(outcome));
    const { id: refundId, amountMinor, currency } = outcome.refund;
    const { id: orderId, traceparent } = order;
    startInBackground(deps, {
      refundId,
      orderId,
      amountMinor,
      currency,
      correlationId,
      traceparent,
    });
    return outcome.answer;
  });
}

/** After the commit and without waiting; what is lost here is started from the event log. */
function startInBackground({ db, refunds, starts }: RefundDeps, refund: RefundStart): void {
  const { refundId, orderId } = refund;
  const start = async (): Promise<void> => {
    const { kind } = await refunds.start(refund);
    if (kind !== 'unavailable') await markRefundStarted(db, refundId);
  };
  starts.begin(start, { refund_id: refundId, order_id: orderId });
}

function problemOf(outcome: Exclude<RequestRefundOutcome, { kind: 'requested' }>): Problem {
  switch (outcome.kind) {
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
  captured_manually: 'The money was captured by hand. Give it back by hand as well.',
  not_captured: 'No money was taken. Cancel the order instead: what is held is let go.',
  being_cancelled: 'The order is being cancelled, which gives everything back by itself.',
  already_cancelled: 'The order was cancelled, and nothing of it stays charged.',
  too_many_refunds: 'The order has as many refunds as it can have.',
};
