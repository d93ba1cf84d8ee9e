/**
 * Requests a refund. Under the order's lock it is checked against the records and stored with its
 * provider key and its response. A workflow moves the money afterwards.
 */
import { formatMoney } from '../../domain/money.ts';
import type { NotRefundableReason } from '../../domain/refund.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { RefundStart } from '../../prisma/payments/refunds.ts';
import {
  requestRefund,
  type RefundRequest,
  type RequestRefundOutcome,
} from '../../prisma/payments/request-refund.ts';
import type { Order } from '../../domain/order.ts';
import { invalidRequest, type Problem } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import { startRefundAndMark } from '../../services/refund-starter.ts';
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
  'amountMinor' | 'byLines' | 'to' | 'reason' | 'actor' | 'claim'
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
      response: (refund) => ({ status: 202, body: JSON.stringify(refundBody(refund)) }),
    });
    if (outcome.kind !== 'requested') return refused(problemOf(outcome));
    const { id: refundId, amountMinor, currency } = outcome.refund;
    const { id: orderId, traceparent, inspectable } = order;
    startInBackground(deps, {
      refundId,
      orderId,
      amountMinor,
      currency,
      correlationId,
      traceparent,
      inspectable,
    });
    return outcome.response;
  });
}

/** Best effort, after the commit. A lost start is repeated from the event log. */
function startInBackground({ db, refunds, starts }: RefundDeps, refund: RefundStart): void {
  const { refundId, orderId } = refund;
  const about = { refund_id: refundId, order_id: orderId };
  starts.begin(() => startRefundAndMark({ db, refunds }, refund), about);
}

function problemOf(outcome: Exclude<RequestRefundOutcome, { kind: 'requested' }>): Problem {
  switch (outcome.kind) {
    case 'not_refundable': {
      const { reason } = outcome;
      return { code: 'not_refundable', detail: NOT_REFUNDABLE[reason], members: { reason } };
    }
    case 'exceeds': {
      const { leftMinor, currency } = outcome;
      const left = formatMoney({ amountMinor: leftMinor, currency });
      return {
        code: 'refund_exceeds_captured',
        detail: `At most ${left} can still be refunded.`,
        members: { refundable_minor: leftMinor, currency },
      };
    }
    case 'not_ordered': {
      const pointer = jsonPointer(['lines', outcome.index, 'sku']);
      return invalidRequest([{ detail: 'The order has no line of this SKU.', pointer }]);
    }
    case 'too_many': {
      const detail = `Of this line ${outcome.left} can still be refunded.`;
      const pointer = jsonPointer(['lines', outcome.index, 'quantity']);
      return invalidRequest([{ detail, pointer }]);
    }
    case 'not_returnable': {
      const detail = `Of this line ${outcome.left} can still come back: units that were shipped and have not.`;
      const pointer = jsonPointer(['lines', outcome.index, 'restock']);
      return invalidRequest([{ detail, pointer }]);
    }
    case 'costs_nothing': {
      const detail = 'Nothing was paid for these units, so nothing can be refunded.';
      return invalidRequest([{ detail, pointer: jsonPointer(['lines']) }]);
    }
  }
}

const NOT_REFUNDABLE: Readonly<Record<NotRefundableReason, string>> = {
  captured_manually: 'The payment was captured manually. Refund it manually as well.',
  not_captured: 'Nothing was charged. Cancel the order instead, which voids the authorization.',
  being_cancelled: 'The order is being cancelled, which refunds everything.',
  already_cancelled: 'The order was cancelled, and nothing remains charged.',
  credit_after_cancel:
    'The order was cancelled, and its store credit given back. Refund to the original means of payment, ' +
    'or grant the customer store credit.',
  disputed:
    'The bank has taken the money back in a dispute. Respond to it in the dashboard of the provider; if it is won, the order can be refunded.',
  too_many_refunds: 'The maximum number of refunds of an order is reached.',
};
