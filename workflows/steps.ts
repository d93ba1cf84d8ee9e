/**
 * The activities as the workflow calls them, each with its patience. Local first: a step costs next
 * to nothing when it succeeds at once, and becomes a durable activity with its attempts in the Web
 * UI as soon as it does not. Running a step twice is safe: every step is idempotent by its key.
 */
import {
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities } from './activities.ts';

/** Above every gateway deadline, so that a try is given up by the gateway and never by Temporal. */
const ONE_TRY = '15 seconds';

/**
 * The wait is an eighth of the outage, ten minutes at most. Doubled, it would be as long as the outage
 * was, and an order of a bad five minutes would stand still for the next five as well.
 */
const PROVIDER_RETRY = {
  initialInterval: '1 second',
  backoffCoefficient: 1.125,
  maximumInterval: '10 minutes',
} as const;

/** Our own database only: it comes back within seconds or somebody is paged. */
const RECORD: ActivityOptions = {
  startToCloseTimeout: ONE_TRY,
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
};

/** The stock is held and the money authorized: a shopper may wait a day for the warehouse, not longer. */
const RESERVE: ActivityOptions = {
  startToCloseTimeout: ONE_TRY,
  scheduleToCloseTimeout: '1 day',
  retry: PROVIDER_RETRY,
};

/** Card authorizations live 7 days; a person must hear of it while there is time to act. */
const CAPTURE: ActivityOptions = {
  startToCloseTimeout: ONE_TRY,
  scheduleToCloseTimeout: '5 days',
  retry: PROVIDER_RETRY,
};

/** Paid, so nothing is lost by waiting: weeks of outage are waited for before a person is asked. */
const SHIP: ActivityOptions = {
  startToCloseTimeout: ONE_TRY,
  scheduleToCloseTimeout: '30 days',
  retry: PROVIDER_RETRY,
};

/** One look: the poll around it is the retry. */
const LOOK_UP: ActivityOptions = {
  startToCloseTimeout: ONE_TRY,
  retry: { ...PROVIDER_RETRY, maximumAttempts: 5 },
};

/** Longer than any outage seen; then a person is asked and the other undos have run. */
const UNDO: ActivityOptions = {
  startToCloseTimeout: ONE_TRY,
  scheduleToCloseTimeout: '1 day',
  retry: PROVIDER_RETRY,
};

/** Somebody was told the money comes: after a day without it a person has to know. */
const REFUND: ActivityOptions = {
  startToCloseTimeout: ONE_TRY,
  scheduleToCloseTimeout: '1 day',
  retry: PROVIDER_RETRY,
};

/** A mail that is a day late is no longer news. */
const NOTIFY: ActivityOptions = {
  startToCloseTimeout: ONE_TRY,
  scheduleToCloseTimeout: '1 day',
  retry: { ...PROVIDER_RETRY, initialInterval: '2 seconds' },
};

export const steps: Activities = {
  reserveStock: localFirst((a) => a.reserveStock, RESERVE, 'Reserve at the warehouse'),
  releaseStock: localFirst((a) => a.releaseStock, UNDO, 'Undo: release the stock'),
  capturePayment: localFirst((a) => a.capturePayment, CAPTURE, 'Capture the payment'),
  voidOrRefundPayment: localFirst(
    (a) => a.voidOrRefundPayment,
    UNDO,
    'Undo: void or refund the payment',
  ),
  requestShipment: localFirst((a) => a.requestShipment, SHIP, 'Ask the warehouse to ship'),
  lookUpShipment: localFirst((a) => a.lookUpShipment, LOOK_UP, 'Ask what became of the shipment'),
  findShipmentRequest: localFirst(
    (a) => a.findShipmentRequest,
    RECORD,
    'Look whether shipping was asked for',
  ),
  cancelShipment: localFirst((a) => a.cancelShipment, UNDO, 'Undo: cancel the shipment'),
  recordShipped: localFirst((a) => a.recordShipped, RECORD, 'Record: shipped'),
  recordShipmentRefused: localFirst((a) => a.recordShipmentRefused, RECORD, 'Record: not shipped'),
  recordCancelling: localFirst((a) => a.recordCancelling, RECORD, 'Record: cancelling'),
  recordCancelled: localFirst((a) => a.recordCancelled, RECORD, 'Record: cancelled'),
  recordNeedsAttention: localFirst(
    (a) => a.recordNeedsAttention,
    RECORD,
    'Record: needs attention',
  ),
  recordResolved: localFirst((a) => a.recordResolved, RECORD, 'Record: a person decided'),
  refundPayment: localFirst((a) => a.refundPayment, REFUND, 'Give the money back'),
  recordRefundNeedsAttention: localFirst(
    (a) => a.recordRefundNeedsAttention,
    RECORD,
    'Record: needs attention',
  ),
  notifyCustomer: localFirst((a) => a.notifyCustomer, NOTIFY, 'Tell the customer'),
  recordNotificationFailed: localFirst(
    (a) => a.recordNotificationFailed,
    RECORD,
    'Record: not told',
  ),
};

/**
 * `recordResolved` of a decision that an update brought: not local. Temporal hears of the update and of
 * a local try only when the workflow task ends; if worker and server died before that, our books would
 * have the answer to a question that the workflow still asks.
 */
export const recordDecision = durably((a) => a.recordResolved, RECORD, 'Record: a person decided');

/**
 * One local try, then the same step as a durable activity. A failed local activity rejects with the
 * ApplicationFailure itself; only a cancellation must not lead to a second run.
 */
function localFirst<I, O>(
  pick: (activities: Activities) => (input: I) => Promise<O>,
  options: ActivityOptions,
  summary: string,
): (input: I) => Promise<O> {
  const tryLocally = pick(
    proxyLocalActivities<Activities>({
      startToCloseTimeout: ONE_TRY,
      retry: { maximumAttempts: 1 },
      summary,
    }),
  );
  const runDurably = durably(pick, options, summary);
  return async (input) => {
    try {
      return await inTurn(() => tryLocally(input));
    } catch (error) {
      if (isCancellation(error)) throw error;
      return runDurably(input);
    }
  };
}

function durably<I, O>(
  pick: (activities: Activities) => (input: I) => Promise<O>,
  options: ActivityOptions,
  summary: string,
): (input: I) => Promise<O> {
  // A cancel does not wait for the attempt under way: whatever it does, the undo finds out. (Said
  // here because what the SDK does when nothing is said is not what its documentation says.)
  return pick(proxyActivities<Activities>({ ...options, cancellationType: 'TRY_CANCEL', summary }));
}

/** The local try under way. Workflow modules are loaded per workflow, so this is per order. */
let previousTry: Promise<unknown> = Promise.resolve();

/**
 * One local try at a time. Two in flight come back in the order they were scheduled when a workflow
 * is replayed, but in the order they finished when it ran: whatever follows them would differ
 * (TMPRL1100, seen with a mail and a shipping request side by side).
 */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = previousTry.then(work);
  previousTry = turn.catch(() => undefined);
  return turn;
}
