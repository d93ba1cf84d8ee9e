/**
 * The API's view of the checkout workflows. An interface, because Temporal may be down while orders
 * are accepted (G4): each call then answers `unavailable` instead of throwing.
 */
import type { OrderId } from '../domain/ids.ts';
import type { RunState } from '../workflows/operations/contract.ts';
import type { CheckoutStart } from '../prisma/orders/orders.ts';
import type { Resolution, Resume } from '../domain/attention.ts';
import type { CancelRequest, ShipmentAnswered } from '../workflows/checkout/contract.ts';

export type StartOutcome = { readonly kind: 'started' | 'already_started' | 'unavailable' };

export type CancelOutcome =
  | { readonly kind: 'accepted'; readonly pendingCompensations: readonly string[] }
  /** Refused for good: `reason` says where the order stands. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Not decided yet (the warehouse is being asked); the same update id gets the answer later. */
  | { readonly kind: 'undecided' }
  | { readonly kind: 'unavailable' };

export type SignalOutcome = { readonly kind: 'delivered' | 'closed' | 'unavailable' };

export type ResolveOutcome = {
  /** `gone`: the workflow does not run any more, and nobody in it can be told. */
  readonly kind: 'resolved' | 'not_waiting' | 'gone' | 'unavailable';
};

export type RunOutcome = { readonly kind: RunState };

/** `running`: there is a run already, and it was left alone. */
export type ResumeOutcome = { readonly kind: 'resumed' | 'running' };

type Unavailable = { readonly kind: 'unavailable' };

export interface CheckoutClient {
  /** Starts the order's workflow. Safe to repeat. */
  start(order: CheckoutStart): Promise<StartOutcome>;
  /** Asks the workflow to cancel, starting it if it does not run yet. `updateId` makes a repeat the same request. */
  cancel(order: CheckoutStart, request: CancelRequest, updateId: string): Promise<CancelOutcome>;
  /** Hands the warehouse's answer to the waiting workflow. */
  shipmentAnswered(orderId: OrderId, answered: ShipmentAnswered): Promise<SignalOutcome>;
  /** Hands a person's decision to the waiting workflow. */
  resolve(orderId: OrderId, resolution: Resolution): Promise<ResolveOutcome>;
  /** Looks what the order's workflow is doing. */
  inspect(orderId: OrderId): Promise<RunOutcome | Unavailable>;
  /** Starts a new run that goes on with the order; `replacing`: also instead of one that is failing. */
  resume(
    order: CheckoutStart,
    resume: Resume,
    how: { readonly replacing: boolean },
  ): Promise<ResumeOutcome | Unavailable>;
  /** Answers whether Temporal can be reached now. */
  isReachable(): Promise<boolean>;
}
