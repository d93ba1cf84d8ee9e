/**
 * One refund that was asked for: the money goes back, the customer is told. It was promised when it
 * was accepted, so nothing cancels it; what cannot be done waits for a person.
 */
import {
  CancellationScope,
  condition,
  setCurrentDetails,
  setHandler,
  TemporalFailure,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { RefundPaymentOutcome } from '../activities.ts';
import { refundNotification } from '../../domain/ids.ts';
import { formatMoney } from '../../domain/money.ts';
import { SEARCH_ATTRIBUTES } from '../checkout/contract.ts';
import { failureSummary } from '../failure-summary.ts';
import { retryRefundSignal, type RefundInput, type RefundResult } from './contract.ts';
import { steps } from '../steps.ts';

export async function refund(input: RefundInput): Promise<RefundResult> {
  const retry = { asked: false };
  setHandler(
    retryRefundSignal,
    () => {
      retry.asked = true;
    },
    { description: 'Try the refund again, once it waits for a person.' },
  );
  return CancellationScope.nonCancellable(async () => {
    const outcome = await giveBack(input, retry);
    if (outcome.kind === 'refused') {
      show(input, `refused by the provider: ${outcome.code}`);
      return { status: 'failed' };
    }
    show(input, 'given back');
    await tell(input);
    return { status: 'succeeded' };
  });
}

/** Tries until there is an answer: by itself for a day, then as often as a person says. */
async function giveBack(
  input: RefundInput,
  retry: { asked: boolean },
): Promise<RefundPaymentOutcome> {
  const { refundId, orderId } = input;
  for (;;) {
    show(input, 'asking the provider');
    try {
      return await steps.refundPayment({ refundId, orderId });
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      // Only what is asked from here on: the letter a person answers is written next.
      retry.asked = false;
      await steps.recordRefundNeedsAttention({ refundId, orderId, failure: failureSummary(error) });
    }
    show(input, 'waits for a person: redrive its dead letter');
    needsAttention(true);
    await condition(() => retry.asked);
    needsAttention(false);
  }
}

async function tell({ refundId, orderId }: RefundInput): Promise<void> {
  const notification = refundNotification(refundId);
  try {
    await steps.notifyCustomer({ orderId, notification });
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    await steps.recordNotificationFailed({ orderId, notification, failure: failureSummary(error) });
  }
}

function show({ amountMinor, currency, orderId }: RefundInput, stands: string): void {
  const money = formatMoney({ amountMinor, currency });
  setCurrentDetails(`### ${money} of ${orderId}\n\n${stands}`);
}

function needsAttention(value: boolean): void {
  upsertSearchAttributes([{ key: SEARCH_ATTRIBUTES.needsAttention, value }]);
}
