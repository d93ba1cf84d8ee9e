/**
 * Shipping as request-reply. The warehouse accepts the request, ships later, and reports by a callback
 * that arrives here as a signal. The signal may arrive before the request has returned, twice, or
 * never: then the workflow looks the shipment up, less and less often. A report that is not understood is
 * no answer: the shipment is looked up at once, and a person is asked when that does not settle it. A
 * shipment is not requested while a case of the payment holds it, for a bounded time.
 */
import {
  ApplicationFailure,
  condition,
  isCancellation,
  TemporalFailure,
} from '@temporalio/workflow';
import { retryBudgetMs } from '../../domain/checkout-steps.ts';
import type { FailureType } from '../../domain/failures.ts';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { RequestShipmentOutcome, ShipmentAnswer, ShipmentLookup } from '../activities.ts';
import { retryClassOfError } from '../failure-type.ts';
import { onBareSignal, onSignal } from '../inputs.ts';
import { shipmentAnswered } from './inputs.ts';
import { summary } from '../limits.ts';
import { steps } from '../steps.ts';
import {
  lookUpShipmentSignal,
  shipmentAnsweredSignal,
  shipmentReleasedSignal,
} from './contract.ts';
import type { Progress } from './progress.ts';

/** Long enough that a warehouse that answers on its own is never looked up. */
const FIRST_INTERVAL_MS = 30_000;
const MAX_INTERVAL_MS = 6 * 3_600_000;

/** `cancelled`: the warehouse will never ship it. */
export type ShippingOutcome = ShipmentAnswer | { readonly kind: 'cancelled' };

export interface Shipping {
  /**
   * Requests the shipment and waits for the answer. Throws when the retry budget is used up, or when the
   * warehouse answers in a way that is not understood.
   */
  ship(): Promise<ShippingOutcome>;
  /** True once the request may have reached the warehouse. */
  isRequested(): boolean;
}

interface ShippingOptions {
  readonly progress: Progress;
  /** An earlier run of the order may have sent the request. */
  readonly requested: boolean;
}

type Held = Extract<RequestShipmentOutcome, { kind: 'held' }>;

export function createShipping(orderId: OrderId, options: ShippingOptions): Shipping {
  const { progress } = options;
  const requests = createRequests(orderId, options);
  let answer: ShipmentAnswer | undefined;
  let isReportUnclear = false;
  const isReported = (): boolean => answer !== undefined || isReportUnclear;

  onSignal(shipmentAnsweredSignal, shipmentAnswered, {
    description:
      'The answer of the warehouse to the shipping request: {"correlationId": "ord_....ship", "answer": {"kind": "shipped", "carrier": "...", "trackingNumber": "..."}}, or {"kind": "refused", "reason": "..."}.',
    handle(answered) {
      // The first answer counts. A repeat, or an answer to another request, changes nothing.
      if (answered.correlationId === shipmentCorrelationId(orderId)) answer ??= answered.answer;
    },
  });
  onBareSignal(lookUpShipmentSignal, {
    description: 'The warehouse reported what is not understood: look the shipment up now.',
    handle() {
      isReportUnclear = true;
    },
  });
  return {
    isRequested: () => requests.isRequested(),
    async ship() {
      let request = await requests.send();
      if (request.kind !== 'refused') progress.awaitCallback();
      let mustSettle = false;
      const deadlineMs = Date.now() + retryBudgetMs('shipOrder');
      for (let intervalMs = FIRST_INTERVAL_MS; Date.now() < deadlineMs;) {
        if (request.kind === 'refused') return request;
        const waitMs = Math.min(intervalMs, deadlineMs - Date.now());
        await condition(isReported, waitMs, { summary: 'Wait for the warehouse' });
        if (answer) return answer;
        // Published only now: a warehouse that answers at once costs no search attribute.
        if (intervalMs === FIRST_INTERVAL_MS) progress.enter('paid', 'publish');
        mustSettle ||= isReportUnclear;
        isReportUnclear = false;
        const found = await lookUp(orderId);
        if (found !== null && found.kind !== 'pending' && found.kind !== 'absent') return found;
        if (found !== null && mustSettle) throw reportNotUnderstood();
        if (found?.kind === 'absent') request = await requests.send();
        intervalMs = Math.min(intervalMs * 2, MAX_INTERVAL_MS);
      }
      throw ApplicationFailure.nonRetryable(
        'the warehouse did not answer the shipping request',
        'provider_unknown_outcome' satisfies FailureType,
      );
    },
  };
}

/** The shipping requests of an order, which wait while a case of the payment holds the shipment. */
function createRequests(orderId: OrderId, options: ShippingOptions) {
  const { progress } = options;
  let { requested } = options;
  let isReleased = false;
  /** Of all holds together. By the server's clock, which may differ from the database's. */
  let deadlineMs: number | null = null;

  onBareSignal(shipmentReleasedSignal, {
    description: 'No case of the payment is open any more: a held shipment is requested.',
    handle() {
      isReleased = true;
    },
  });

  return {
    isRequested: () => requested,
    /** Throws when a person has to decide about the hold. */
    async send(): Promise<Exclude<RequestShipmentOutcome, Held>> {
      for (;;) {
        requested = true;
        isReleased = false;
        const outcome = await steps.requestShipment({ orderId });
        if (outcome.kind !== 'held') return outcome;
        requested = options.requested;
        const { cases, leftMs } = outcome;
        deadlineMs ??= Date.now() + leftMs;
        const waitMs = Math.min(deadlineMs - Date.now(), leftMs);
        if (waitMs <= 0) throw shipmentHeld(outcome);
        progress.hold({ cases, until: new Date(Date.now() + waitMs).toISOString() });
        progress.enter('paid', 'publish');
        const text = summary(`Held: ${cases.join(', ')}`);
        await condition(() => isReleased, waitMs, { summary: text }).finally(() =>
          progress.hold(null),
        );
      }
    },
  };
}

function shipmentHeld({ cases }: Held): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `the shipment is held for ${cases.join(', ')}`,
    'shipment_held' satisfies FailureType,
  );
}

function reportNotUnderstood(): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    'the warehouse reported what is not understood, and a look-up does not settle it',
    'provider_answer_not_understood' satisfies FailureType,
  );
}

/** Null when the warehouse could not be asked: the next look-up follows anyway. */
async function lookUp(orderId: OrderId): Promise<ShipmentLookup | null> {
  try {
    return await steps.lookUpShipment({ orderId });
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    if (retryClassOfError(error) !== 'outage') throw error;
    return null;
  }
}
