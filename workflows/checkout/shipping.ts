/**
 * Shipping as request-reply. The warehouse takes the request, ships when it ships, and answers by a
 * callback that arrives here as a signal. An answer may come before the request returned, twice, or
 * never: then it is asked for, less and less often.
 */
import {
  ApplicationFailure,
  condition,
  isCancellation,
  setHandler,
  TemporalFailure,
} from '@temporalio/workflow';
import type { FailureType, ShipmentAnswer, ShipmentLookup } from '../activities.ts';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import { shipmentAnsweredSignal } from './contract.ts';
import { steps } from '../steps.ts';

/** The first look-up; long enough that a warehouse that answers by itself is never asked. */
const FIRST_LOOK_MS = 30_000;
/** The longest time between two look-ups. */
const LONGEST_LOOK_MS = 6 * 3_600_000;
/** A request without an answer for this long needs a person. */
const PATIENCE_MS = 30 * 24 * 3_600_000;

/** `cancelled`: the warehouse will never ship it. */
export type Shipped = ShipmentAnswer | { readonly kind: 'cancelled' };

export interface Shipping {
  /** Asks the warehouse to ship and waits for its answer. Throws when it never comes. */
  ship(): Promise<Shipped>;
  /** True once the request may have reached the warehouse. */
  isRequested(): boolean;
}

/** `requested`: an earlier run of the order may have asked the warehouse already. */
export function createShipping(orderId: OrderId, { requested: before = false } = {}): Shipping {
  let requested = before;
  let answer: ShipmentAnswer | undefined;

  setHandler(shipmentAnsweredSignal, (answered) => {
    // The first answer stands; a repeat or somebody else's answer changes nothing.
    if (answered.correlationId === shipmentCorrelationId(orderId)) answer ??= answered.answer;
  });

  return {
    isRequested: () => requested,
    async ship() {
      requested = true;
      let request = await steps.requestShipment({ orderId });
      for (let waitedMs = 0, lookMs = FIRST_LOOK_MS; waitedMs < PATIENCE_MS;) {
        if (request.kind === 'refused') return request;
        await condition(() => answer !== undefined, lookMs, { summary: 'Wait for the warehouse' });
        if (answer) return answer;
        const found = await lookUp(orderId);
        if (found.kind === 'absent') request = await steps.requestShipment({ orderId });
        else if (found.kind !== 'pending') return found;
        waitedMs += lookMs;
        lookMs = Math.min(lookMs * 2, LONGEST_LOOK_MS);
      }
      throw ApplicationFailure.nonRetryable(
        'the warehouse never answered the shipping request',
        'provider_unknown_outcome' satisfies FailureType,
      );
    },
  };
}

/** A look-up that fails is no answer: the next one is due anyway. */
async function lookUp(orderId: OrderId): Promise<ShipmentLookup> {
  try {
    return await steps.lookUpShipment({ orderId });
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    return { kind: 'pending' };
  }
}
