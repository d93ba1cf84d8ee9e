/**
 * The activities as the workflows call them, each with its timeouts and retry budget. The budget is for
 * outages; any other failure ends within minutes (domain/failures.ts). Local first: a
 * step that succeeds at once costs next to nothing; one that fails becomes a durable activity whose
 * attempts show in the Web UI. Steps of an inspectable workflow are durable at once. Running a step twice
 * is safe: every step is idempotent by its key.
 */
import {
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  type ActivityOptions,
} from '@temporalio/workflow';
import { retryBudgetMs, stepTitle, type StepName } from '../domain/checkout-steps.ts';
import type { Activities } from './activities.ts';
import { failureSummary } from './failure-summary.ts';
import { retryBriefly } from './failure-type.ts';

/**
 * Above the deadline of each call, so that the gateway ends a call and not Temporal. An attempt of several
 * slow calls can take longer: the next attempt then runs beside it, under the same keys.
 */
const ATTEMPT_TIMEOUT = '15 seconds';

/** The same for a mail: some servers take long to confirm one. */
export const MAIL_ATTEMPT_TIMEOUT = '35 seconds';

/**
 * Each wait is about an eighth of the outage so far, ten minutes at most. Doubled waits would grow as
 * long as the outage, and after five bad minutes an order would be idle for another five.
 */
const PROVIDER_RETRY = {
  initialInterval: '1 second',
  backoffCoefficient: 1.125,
  maximumInterval: '10 minutes',
} as const;

/** Our own database only: it is back within seconds, or an operator is paged. */
const RECORD: ActivityOptions = {
  startToCloseTimeout: ATTEMPT_TIMEOUT,
  scheduleToCloseTimeout: '30 days',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
};

/** Few attempts: the polling loop around it is the retry. */
const LOOK_UP: ActivityOptions = {
  startToCloseTimeout: ATTEMPT_TIMEOUT,
  retry: { ...PROVIDER_RETRY, maximumAttempts: 5 },
};

/** The refund was promised: after a day without it an operator has to know. */
const REFUND: ActivityOptions = {
  startToCloseTimeout: ATTEMPT_TIMEOUT,
  scheduleToCloseTimeout: '1 day',
  retry: PROVIDER_RETRY,
};

/** An e-mail that is a day late is of no use. */
const NOTIFY: ActivityOptions = {
  startToCloseTimeout: MAIL_ATTEMPT_TIMEOUT,
  scheduleToCloseTimeout: '1 day',
  retry: { ...PROVIDER_RETRY, initialInterval: '2 seconds' },
};

export const steps: Activities = {
  admitResume: localFirst((a) => a.admitResume, RECORD, 'Check where the checkout may continue'),
  reserveStock: localFirst((a) => a.reserveStock, step('reserveStock'), stepTitle('reserveStock')),
  releaseStock: localFirst((a) => a.releaseStock, step('releaseStock'), stepTitle('releaseStock')),
  capturePayment: localFirst(
    (a) => a.capturePayment,
    step('capturePayment'),
    stepTitle('capturePayment'),
  ),
  voidOrRefundPayment: localFirst(
    (a) => a.voidOrRefundPayment,
    step('voidOrRefundPayment'),
    stepTitle('voidOrRefundPayment'),
  ),
  requestShipment: localFirst((a) => a.requestShipment, step('shipOrder'), 'Request the shipment'),
  lookUpShipment: localFirst((a) => a.lookUpShipment, LOOK_UP, 'Look up the shipment'),
  findShipmentRequest: localFirst(
    (a) => a.findShipmentRequest,
    RECORD,
    'Check whether shipping was requested',
  ),
  cancelShipment: localFirst(
    (a) => a.cancelShipment,
    step('cancelShipment'),
    stepTitle('cancelShipment'),
  ),
  recordShipped: localFirst((a) => a.recordShipped, RECORD, 'Record: shipped'),
  recordShipmentRefused: localFirst(
    (a) => a.recordShipmentRefused,
    RECORD,
    'Record: shipment refused',
  ),
  recordCancelling: localFirst((a) => a.recordCancelling, RECORD, 'Record: cancelling'),
  recordCancelled: localFirst((a) => a.recordCancelled, RECORD, 'Record: cancelled'),
  recordNeedsAttention: localFirst(
    (a) => a.recordNeedsAttention,
    RECORD,
    'Record: needs attention',
  ),
  recordResolved: localFirst((a) => a.recordResolved, RECORD, 'Record: decision'),
  refundPayment: localFirst((a) => a.refundPayment, REFUND, 'Refund the payment'),
  lookUpRefund: localFirst((a) => a.lookUpRefund, REFUND, 'Look up the refund'),
  recordRefundNeedsAttention: localFirst(
    (a) => a.recordRefundNeedsAttention,
    RECORD,
    'Record: refund needs attention',
  ),
  notifyCustomer: localFirst((a) => a.notifyCustomer, NOTIFY, 'Notify the customer'),
  recordNotificationFailed: localFirst(
    (a) => a.recordNotificationFailed,
    RECORD,
    'Record: notification failed',
  ),
};

/**
 * `recordResolved` for a decision that an update brought, never local. Temporal learns of the update
 * and of a local attempt only when the workflow task ends. If worker and server died before that, the
 * database would have the decision and the workflow would still wait for it.
 */
export const recordDecision = durably((a) => a.recordResolved, RECORD, 'Record: decision');

/** A step of the checkout at a provider, with the retry budget of the steps table. */
function step(name: StepName): ActivityOptions {
  return {
    startToCloseTimeout: ATTEMPT_TIMEOUT,
    scheduleToCloseTimeout: retryBudgetMs(name),
    retry: PROVIDER_RETRY,
  };
}

/** A step whose first attempt failed. Temporal retries it. */
export interface RetriedStep {
  /** In words. */
  readonly title: string;
  readonly failure: string;
  /** ISO 8601. */
  readonly since: string;
}

/** Workflow modules are loaded per workflow, so these are per order, and so is `previousAttempt`. */
let isInspectable = false;
const retried = new Set<RetriedStep>();
let onRetried: () => void = () => undefined;

/** From here on every step of this workflow runs as an ordinary activity, for people who watch it. */
export function inspectSteps(): void {
  isInspectable = true;
}

/** The steps that are retried now, oldest first. Inspectable ones show their attempts themselves. */
export function retriedSteps(): readonly RetriedStep[] {
  return [...retried];
}

/** `listener` is called whenever `retriedSteps` changes. */
export function whenRetried(listener: () => void): void {
  onRetried = listener;
}

/**
 * One local attempt, then the same step as a durable activity. A failed local activity rejects with the
 * ApplicationFailure itself; only a cancellation must not lead to a second run.
 */
function localFirst<I, O>(
  pick: (activities: Activities) => (input: I) => Promise<O>,
  options: ActivityOptions,
  summary: string,
): (input: I) => Promise<O> {
  const tryLocally = pick(
    proxyLocalActivities<Activities>({
      startToCloseTimeout: options.startToCloseTimeout ?? ATTEMPT_TIMEOUT,
      retry: { maximumAttempts: 1 },
      summary,
    }),
  );
  const runDurably = durably(pick, options, summary);
  return async (input) => {
    if (isInspectable) return runDurably(input);
    try {
      return await inSequence(() => tryLocally(input));
    } catch (error) {
      if (isCancellation(error)) throw error;
      return whileRetried(summary, error, () => runDurably(input));
    }
  };
}

async function whileRetried<T>(title: string, error: unknown, work: () => Promise<T>): Promise<T> {
  const step = { title, failure: failureSummary(error), since: new Date().toISOString() };
  retried.add(step);
  onRetried();
  try {
    return await work();
  } finally {
    retried.delete(step);
    onRetried();
  }
}

function durably<I, O>(
  pick: (activities: Activities) => (input: I) => Promise<O>,
  options: ActivityOptions,
  summary: string,
): (input: I) => Promise<O> {
  // A cancel does not wait for the running attempt: the compensation looks up what it did. Set here
  // because the SDK's actual default differs from its documentation.
  const run = pick(
    proxyActivities<Activities>({ ...options, cancellationType: 'TRY_CANCEL', summary }),
  );
  return (input) => retryBriefly(() => run(input));
}

/** The running local attempt. */
let previousAttempt: Promise<unknown> = Promise.resolve();

/**
 * One local attempt at a time. Two that run side by side resolve in the order they were scheduled when a
 * workflow is replayed, but in the order they finished when it first ran, so the commands that follow
 * would differ (TMPRL1100, seen with an e-mail and a shipping request side by side).
 */
function inSequence<T>(work: () => Promise<T>): Promise<T> {
  const attempt = previousAttempt.then(work);
  previousAttempt = attempt.catch(() => undefined);
  return attempt;
}
