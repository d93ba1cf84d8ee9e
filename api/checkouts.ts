/**
 * The API's view of the checkout workflows. An interface, because Temporal may be down while orders
 * are accepted (G4): each call then answers `unavailable` instead of throwing.
 */
import type { OrderId } from '../domain/ids.ts';
import type { CheckoutStart } from '../prisma/orders.ts';
import type { CancelRequest, Resolution, ShipmentAnswered } from '../workflows/contract.ts';

export type StartOutcome = { readonly kind: 'started' | 'already_started' | 'unavailable' };

export type CancelOutcome =
  | { readonly kind: 'accepted'; readonly willUndo: readonly string[] }
  /** Refused for good: `reason` says where the order stands. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Not decided yet (the warehouse is being asked); the same update id gets the answer later. */
  | { readonly kind: 'undecided' }
  | { readonly kind: 'unavailable' };

export type SignalOutcome = { readonly kind: 'delivered' | 'closed' | 'unavailable' };

export interface Checkouts {
  /** Starts the order's workflow. Safe to repeat. */
  start(order: CheckoutStart): Promise<StartOutcome>;
  /** Asks the workflow to cancel, starting it if it does not run yet. `updateId` makes a repeat the same request. */
  cancel(order: CheckoutStart, request: CancelRequest, updateId: string): Promise<CancelOutcome>;
  /** Hands the warehouse's answer to the waiting workflow. */
  shipmentAnswered(orderId: OrderId, answered: ShipmentAnswered): Promise<SignalOutcome>;
  /** Hands a person's decision to the waiting workflow. */
  resolve(
    orderId: OrderId,
    resolution: Resolution,
  ): Promise<{ readonly kind: 'resolved' | 'not_waiting' | 'unavailable' }>;
  /** Answers whether Temporal can be reached now. */
  isReachable(): Promise<boolean>;
}
