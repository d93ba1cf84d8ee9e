/**
 * One refund: the payment is refunded, which may take the provider days to be sure of, then the customer is
 * notified. It was accepted, so nothing cancels it; when the provider stays unavailable, or is not sure
 * after 30 days, an operator decides when to retry.
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
import { onBareSignal, onSignal, requireInput, takesUndecoded } from '../inputs.ts';
import { refundInput, retryRefund } from './inputs.ts';
import { details } from '../limits.ts';
import { askPerson, LAST_LINES, retrying, withLink } from '../checkout/card.ts';
import { consolePageOfOrder, publish } from '../checkout/publish.ts';
import {
  refundChangedSignal,
  retryRefundSignal,
  type RefundInput,
  type RefundResult,
} from './contract.ts';
import { inspectSteps, retriedSteps, steps, whenRetried } from '../steps.ts';

/** As of the activities `refundPayment` and `lookUpRefund`. */
const TITLES = { refundPayment: 'Refund the payment', lookUpRefund: 'Look up the refund' } as const;
type Step = keyof typeof TITLES;

/** A refund that is pending is often sure within minutes, else in days. A webhook ends each wait. */
const FIRST_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 24 * 3_600_000;

takesUndecoded(refund);

export async function refund(given: RefundInput): Promise<RefundResult> {
  const input = requireInput(refundInput, given, ({ refundId }) => refundWorkflowId(refundId));
  if (input.inspectable === true) inspectSteps();
  const run: Run = { input, card: createCard(input), retriedBy: null, isChanged: false };
  handleSignals(run);
  return CancellationScope.nonCancellable(async () => {
    const outcome = await follow(run, await runStep(run, 'refundPayment'));
    if (outcome.kind === 'refused') {
      run.card.show(`Not refunded: ${outcome.code}.`);
      return { status: 'failed' };
    }
    run.card.show('Refunded.');
    await notify(input);
    return { status: 'succeeded' };
  });
}

interface Run {
  readonly input: RefundInput;
  readonly card: Card;
  /** Who asked for a retry since the last attempt. */
  retriedBy: string | null;
  /** The provider has reported something since the last look-up. */
  isChanged: boolean;
}

function handleSignals(run: Run): void {
  onSignal(retryRefundSignal, retryRefund, {
    description: 'Retry the refund when it needs attention. Say who you are: {"actor": "..."}.',
    handle({ actor }) {
      run.retriedBy = actor;
    },
  });
  onBareSignal(refundChangedSignal, {
    description: 'Look up a pending refund at once: the provider has reported something about it.',
    handle() {
      run.isChanged = true;
    },
  });
}

type Sure = Exclude<RefundPaymentOutcome, { kind: 'pending' }>;

/** Looks up a refund until the provider is sure: after growing waits, and whenever a webhook says so. */
async function follow(run: Run, first: RefundPaymentOutcome): Promise<Sure> {
  if (first.kind !== 'pending') return first;
  const untilMs = Date.now() + first.followForMs;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs *= 2) {
    const leftMs = untilMs - Date.now();
    if (leftMs > 0) await wait(run, Math.min(waitMs, LONGEST_WAIT_MS, leftMs), untilMs);
    else await waitForPerson(run, 'lookUpRefund', 'refund: the provider was not sure for 30 days');
    const outcome = await runStep(run, 'lookUpRefund');
    if (outcome.kind !== 'pending') return outcome;
  }
}

async function wait(run: Run, ms: number, untilMs: number): Promise<void> {
  const until = new Date(untilMs).toISOString().slice(0, 10);
  run.card.show(`Accepted by the provider, and not sure yet. Looked up until ${until}.`);
  const summary = 'Wait until the provider is sure of the refund';
  await condition(() => run.isChanged || run.retriedBy !== null, ms, { summary });
}

/** Retries until there is a result: for the retry budget, then whenever an operator asks for it. */
async function runStep(run: Run, step: Step): Promise<RefundPaymentOutcome> {
  const { refundId, orderId } = run.input;
  for (;;) {
    run.card.show(
      `Runs: ${TITLES[step]}${run.retriedBy === null ? '' : `, retried by ${run.retriedBy}`}.`,
    );
    run.isChanged = false;
    run.retriedBy = null;
    try {
      return await steps[step]({ refundId, orderId });
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      await waitForPerson(run, step, failureSummary(error));
    }
  }
}

/** Ends with a retry, or with a hint that the provider has something new. */
async function waitForPerson(run: Run, step: Step, failure: string): Promise<void> {
  const { refundId, orderId } = run.input;
  // Earlier signals do not count: the dead letter that an operator redrives is recorded next.
  run.retriedBy = null;
  const asked = await steps.recordRefundNeedsAttention({ refundId, orderId, failure });
  run.card.ask(TITLES[step], failure, asked?.deadLetterId ?? null);
  needsAttention(true);
  await condition(() => run.retriedBy !== null || run.isChanged);
  needsAttention(false);
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
  ask(about: string, failure: string, deadLetter: string | null): void;
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
    ask(step, failure, deadLetter) {
      now = askPerson({ about: step, failure, decisions: ['retry'], deadLetter, consoleUrl });
      render();
    },
  };
}

function needsAttention(value: boolean): void {
  publish([{ key: SEARCH_ATTRIBUTES.needsAttention, value }]);
}
