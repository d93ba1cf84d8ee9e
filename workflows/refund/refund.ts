/**
 * One requested refund: the payment is refunded, then the customer is notified. It was accepted, so
 * nothing cancels it; when the provider stays unavailable, an operator decides when to retry.
 */
import {
  CancellationScope,
  condition,
  setCurrentDetails,
  TemporalFailure,
} from '@temporalio/workflow';
import type { RefundPaymentOutcome } from '../activities.ts';
import { refundNotification, refundWorkflowId } from '../../domain/ids.ts';
import { formatMoney } from '../../domain/money.ts';
import { SEARCH_ATTRIBUTES } from '../checkout/contract.ts';
import { failureSummary } from '../failure-summary.ts';
import { onSignal, requireInput } from '../inputs.ts';
import { refundInput, retryRefund } from './inputs.ts';
import { details } from '../limits.ts';
import { publish } from '../checkout/publish.ts';
import { retryRefundSignal, type RefundInput, type RefundResult } from './contract.ts';
import { steps } from '../steps.ts';

export async function refund(given: RefundInput): Promise<RefundResult> {
  const input = requireInput(refundInput, given, ({ refundId }) => refundWorkflowId(refundId));
  const retry: Retry = { by: null };
  onSignal(retryRefundSignal, retryRefund, {
    description: 'Retry the refund when it needs attention. Say who you are: {"actor": "..."}.',
    handle({ actor }) {
      retry.by = actor;
    },
  });
  return CancellationScope.nonCancellable(async () => {
    const outcome = await refundPayment(input, retry);
    if (outcome.kind === 'refused') {
      show(input, `refused by the provider: ${outcome.code}`);
      return { status: 'failed' };
    }
    show(input, 'refunded');
    await notify(input);
    return { status: 'succeeded' };
  });
}

/** Who asked for a retry since the last attempt. */
interface Retry {
  by: string | null;
}

/** Retries until there is a result: for the retry budget, then whenever an operator asks for it. */
async function refundPayment(input: RefundInput, retry: Retry): Promise<RefundPaymentOutcome> {
  const { refundId, orderId } = input;
  for (;;) {
    show(input, `calling the provider${retry.by === null ? '' : `, retried by ${retry.by}`}`);
    try {
      return await steps.refundPayment({ refundId, orderId });
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      // Earlier signals do not count: the dead letter that an operator redrives is recorded next.
      retry.by = null;
      await steps.recordRefundNeedsAttention({ refundId, orderId, failure: failureSummary(error) });
    }
    show(input, 'needs attention: redrive its dead letter');
    needsAttention(true);
    await condition(() => retry.by !== null);
    needsAttention(false);
  }
}

async function notify({ refundId, orderId }: RefundInput): Promise<void> {
  const notification = refundNotification(refundId);
  try {
    await steps.notifyCustomer({ orderId, notification });
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    await steps.recordNotificationFailed({ orderId, notification, failure: failureSummary(error) });
  }
}

function show({ amountMinor, currency, orderId }: RefundInput, state: string): void {
  const money = formatMoney({ amountMinor, currency });
  setCurrentDetails(details(`### ${money} of ${orderId}\n\n${state}`));
}

function needsAttention(value: boolean): void {
  publish([{ key: SEARCH_ATTRIBUTES.needsAttention, value }]);
}
