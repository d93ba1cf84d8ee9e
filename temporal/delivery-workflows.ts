/**
 * The API's view of the workflows that carry events and notices. An interface, because Temporal may
 * be down (G4): each call then answers `unavailable` instead of throwing.
 */
import type { DeliveryInput, NotificationInput } from '../workflows/events/contract.ts';

export type DeliveryStart = { readonly kind: 'started' | 'unavailable' };

export interface DeliveryClient {
  /** Starts the pump of a subscription unless it runs. Safe to repeat. */
  ensureSubscriptionRuns(name: string): Promise<DeliveryStart>;
  /** Starts delivering one event to one subscriber, anew if that waits for its next attempt. */
  startDelivery(input: DeliveryInput): Promise<DeliveryStart>;
  /** Starts telling the customer once more; one that is under way is left to go on. */
  startNotification(input: NotificationInput): Promise<DeliveryStart>;
}
