/**
 * What every peer does: the same steps in the same order, each the project's own activity. An engine
 * decides only how they are made durable. None compensates: the bench measures orders that ship.
 */
import type { OrderId } from '../../../domain/ids.ts';
import type { Activities } from '../../../workflows/activities.ts';
import type { ShipmentAnswered } from '../../../workflows/checkout/contract.ts';

export type Steps = Pick<
  Activities,
  'reserveStock' | 'capturePayment' | 'requestShipment' | 'recordShipped' | 'notifyCustomer'
>;

export interface Engine {
  /** Starts the order's checkout, durably where the engine is. */
  start(orderId: OrderId): Promise<void>;
  /** Hands the warehouse's answer to the waiting checkout. */
  shipmentAnswered(orderId: OrderId, answered: ShipmentAnswered): Promise<void>;
}

export interface Peer {
  readonly steps: Steps;
  readonly databaseUrl: string;
  readonly temporal: { readonly address: string; readonly namespace: string };
}

/** The checkout of an engine that resumes a function from its recorded steps. */
export async function checkout(
  { steps, orderId }: { readonly steps: Steps; readonly orderId: OrderId },
  durable: {
    step<T>(name: string, work: () => Promise<T>): Promise<T>;
    answer(): Promise<ShipmentAnswered>;
  },
): Promise<void> {
  await durable.step('reserve', () => steps.reserveStock({ orderId }));
  await durable.step('capture', () => steps.capturePayment({ orderId }));
  await durable.step('ship', () => steps.requestShipment({ orderId }));
  await durable.step('notifyConfirmed', () =>
    steps.notifyCustomer({ orderId, notification: 'confirmed' }),
  );
  const parcel = shippedParcel(await durable.answer());
  await durable.step('record', () => steps.recordShipped({ orderId, ...parcel }));
  await durable.step('notifyShipped', () =>
    steps.notifyCustomer({ orderId, notification: 'shipped' }),
  );
}

export function shippedParcel({ answer }: ShipmentAnswered) {
  if (answer.kind !== 'shipped') throw new Error(`the warehouse did not ship: ${answer.kind}`);
  return { carrier: answer.carrier, trackingNumber: answer.trackingNumber };
}
