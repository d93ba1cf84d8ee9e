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
import { onSignal, requireInput, takesUndecoded } from '../inputs.ts';
import { refundInput, retryRefund } from './inputs.ts';
import { details } from '../limits.ts';
import { askPerson, LAST_LINES, retrying, withLink } from '../checkout/card.ts';
import { consolePageOfOrder, publish } from '../checkout/publish.ts';
import { retryRefundSignal, type RefundInput, type RefundResult } from './contract.ts';
import { inspectSteps, retriedSteps, steps, whenRetried } from '../steps.ts';

/** As of the activity `refundPayment`. */
const TITLE = 'Refund the payment';

takesUndecoded(refund);

export async function refund(given: RefundInput): Promise<RefundResult> {
  const input = requireInput(refundInput, given, ({ refundId }) => refundWorkflowId(refundId));
  if (input.inspectable === true) inspectSteps();
  const card = createCard(input);
  const retry: Retry = { by: null };
  onSignal(retryRefundSignal, retryRefund, {
    description: 'Retry the refund when it needs attention. Say who you are: {"actor": "..."}.',
    handle({ actor }) {
      retry.by = actor;
    },
  });
  return CancellationScope.nonCancellable(async () => {
    const outcome = await refundPayment(input, retry, card);
    if (outcome.kind === 'refused') {
      card.show(`Refused by the provider: ${outcome.code}.`);
      return { status: 'failed' };
    }
    card.show('Refunded.');
    await notify(input);
    return { status: 'succeeded' };
  });
}

/** Who asked for a retry since the last attempt. */
interface Retry {
  by: string | null;
}

/** Retries until there is a result: for the retry budget, then whenever an operator asks for it. */
async function refundPayment(
  input: RefundInput,
  retry: Retry,
  card: Card,
): Promise<RefundPaymentOutcome> {
  const { refundId, orderId } = input;
  for (;;) {
    card.show(`Runs: ${TITLE}${retry.by === null ? '' : `, retried by ${retry.by}`}.`);
    try {
      return await steps.refundPayment({ refundId, orderId });
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      // Earlier signals do not count: the dead letter that an operator redrives is recorded next.
      retry.by = null;
      const failure = failureSummary(error);
      const asked = await steps.recordRefundNeedsAttention({ refundId, orderId, failure });
      card.ask(failure, asked?.deadLetterId ?? null);
    }
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

interface Card {
  show(sentence: string): void;
  ask(failure: string, deadLetter: string | null): void;
}

/** The card in the Web UI: what the refund waits for, then what it is. */
function createCard({ amountMinor, currency, orderId }: RefundInput): Card {
  const consoleUrl = consolePageOfOrder();
  const about = `${formatMoney({ amountMinor, currency })} of ${orderId}`;
  let now = '';
  const render = (): void => {
    const [retried] = retriedSteps();
    const first = retried === undefined ? now : withLink(retrying(retried), consoleUrl);
    setCurrentDetails(details([first, '', about, ...LAST_LINES].join('\n')));
  };
  whenRetried(render);
  return {
    show(sentence) {
      now = withLink(sentence, consoleUrl);
      render();
    },
    ask(failure, deadLetter) {
      now = askPerson({ about: TITLE, failure, decisions: ['retry'], deadLetter, consoleUrl });
      render();
    },
  };
}

function needsAttention(value: boolean): void {
  publish([{ key: SEARCH_ATTRIBUTES.needsAttention, value }]);
}
