/**
 * Shipping as request-reply. The warehouse accepts the request, ships later, and reports by a callback
 * that arrives here as a signal. The signal may arrive before the request has returned, twice, or
 * never: then the workflow looks the shipment up, less and less often.
 */
import {
  ApplicationFailure,
  condition,
  isCancellation,
  setHandler,
  TemporalFailure,
} from '@temporalio/workflow';
import { retryBudgetMs } from '../../domain/checkout-steps.ts';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { FailureType, ShipmentAnswer, ShipmentLookup } from '../activities.ts';
import { steps } from '../steps.ts';
import { shipmentAnsweredSignal } from './contract.ts';

/** Long enough that a warehouse that answers on its own is never looked up. */
const FIRST_INTERVAL_MS = 30_000;
const MAX_INTERVAL_MS = 6 * 3_600_000;

/** `cancelled`: the warehouse will never ship it. */
export type ShippingOutcome = ShipmentAnswer | { readonly kind: 'cancelled' };

export interface Shipping {
  /** Requests the shipment and waits for the answer. Throws when the retry budget is used up. */
  ship(): Promise<ShippingOutcome>;
  /** True once the request may have reached the warehouse. */
  isRequested(): boolean;
}

/** `requested`: an earlier run of the order may have sent the request. */
export function createShipping(orderId: OrderId, { requested: before = false } = {}): Shipping {
  let requested = before;
  let answer: ShipmentAnswer | undefined;

  setHandler(shipmentAnsweredSignal, (answered) => {
    // The first answer counts. A repeat, or an answer to another request, changes nothing.
    if (answered.correlationId === shipmentCorrelationId(orderId)) answer ??= answered.answer;
  });

  return {
    isRequested: () => requested,
    async ship() {
      requested = true;
      let request = await steps.requestShipment({ orderId });
      const deadlineMs = Date.now() + retryBudgetMs('shipOrder');
      for (let intervalMs = FIRST_INTERVAL_MS; Date.now() < deadlineMs;) {
        if (request.kind === 'refused') return request;
        const waitMs = Math.min(intervalMs, deadlineMs - Date.now());
        await condition(() => answer !== undefined, waitMs, { summary: 'Wait for the warehouse' });
        if (answer) return answer;
        const found = await lookUp(orderId);
        if (found.kind === 'absent') request = await steps.requestShipment({ orderId });
        else if (found.kind !== 'pending') return found;
        intervalMs = Math.min(intervalMs * 2, MAX_INTERVAL_MS);
      }
      throw ApplicationFailure.nonRetryable(
        'the warehouse did not answer the shipping request',
        'provider_unknown_outcome' satisfies FailureType,
      );
    },
  };
}

/** A failed look-up counts as pending: the next one follows anyway. */
async function lookUp(orderId: OrderId): Promise<ShipmentLookup> {
  try {
    return await steps.lookUpShipment({ orderId });
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    return { kind: 'pending' };
  }
}
