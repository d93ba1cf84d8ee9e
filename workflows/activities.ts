/**
 * What a workflow may ask of the world. Plain JSON in and out: ids, integers, strings; never a
 * person's data (G8). A business answer is a value with a `kind`; a fault is thrown and retried by
 * Temporal; a permanent fault is an ApplicationFailure whose type is a `FailureType`.
 */
import type { CheckoutStage, Decision } from '../domain/checkout-steps.ts';
import type { Delivery } from '../domain/delivery.ts';
import type { Notification, OrderId, RefundId } from '../domain/ids.ts';
import type { CancelReason } from '../domain/order.ts';

/** The closed union of ApplicationFailure types. Workflows branch on these, never on messages. */
export type FailureType =
  | 'order_not_found'
  | 'refund_not_found'
  | 'forbidden_transition'
  | 'order_cancelling'
  | 'provider_unavailable'
  | 'provider_unknown_outcome'
  | 'provider_rejected_request'
  | 'authorization_expiring'
  | 'captured_manually'
  | 'not_cancellable'
  | 'not_waiting'
  | 'subscriber_unknown'
  | 'unexpected_error';

export interface OrderRef {
  readonly orderId: OrderId;
}

export type ReserveStockOutcome =
  { readonly kind: 'reserved' } | { readonly kind: 'refused'; readonly reason: string };

export type CapturePaymentOutcome =
  | { readonly kind: 'captured'; readonly amountMinor: number }
  | { readonly kind: 'refused'; readonly code: string };

export type VoidOrRefundOutcome =
  | { readonly kind: 'voided' }
  | { readonly kind: 'refunded'; readonly amountMinor: number }
  | { readonly kind: 'nothing_held' };

export interface RefundRef extends OrderRef {
  readonly refundId: RefundId;
}

export type RefundPaymentOutcome =
  | { readonly kind: 'refunded'; readonly amountMinor: number }
  | { readonly kind: 'refused'; readonly code: string };

export type RequestShipmentOutcome =
  { readonly kind: 'requested' } | { readonly kind: 'refused'; readonly reason: string };

/** The warehouse's answer to a shipping request, by callback or by look-up. */
export type ShipmentAnswer =
  | { readonly kind: 'shipped'; readonly carrier: string; readonly trackingNumber: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** `absent`: the warehouse never saw the request. `cancelled`: it will never ship. */
export type ShipmentLookup =
  | ShipmentAnswer
  | { readonly kind: 'pending' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'cancelled' };

export type CancelShipmentOutcome =
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'already_shipped'; readonly carrier: string; readonly trackingNumber: string };

export interface AttentionRequest {
  /** How long uncaptured money stays held, from the workflow's start on; null when none is. */
  readonly authorizationLeftAtStartMs: number | null;
}

/** What the database held when the order became `cancelling`; no shipping request is written after that. */
export interface CancellingRecord {
  /** The parcel of an order that is shipped already: it stays shipped. */
  readonly shipped: Extract<ShipmentAnswer, { kind: 'shipped' }> | null;
  readonly shipmentRequested: boolean;
  /** Why the order turned round first; another reason later changes nothing. */
  readonly reason: CancelReason;
}

export interface Activities {
  /** The warehouse takes the order's lines; order `reserved`. Undo: `releaseStock`. */
  reserveStock(input: OrderRef): Promise<ReserveStockOutcome>;
  /** The warehouse lets go and the hold ends. A no-op if nothing was reserved; a later reserve is refused. */
  releaseStock(input: OrderRef): Promise<void>;
  /** The provider takes the authorized money; order `paid`. Undo: `voidOrRefundPayment`. */
  capturePayment(input: OrderRef): Promise<CapturePaymentOutcome>;
  /** Looks up what really happened to the money, then voids or refunds it. Not what was captured elsewhere. */
  voidOrRefundPayment(input: OrderRef): Promise<VoidOrRefundOutcome>;
  /** Asks the warehouse to ship. It answers later, under the correlation id. Undo: `cancelShipment`. */
  requestShipment(input: OrderRef): Promise<RequestShipmentOutcome>;
  /** Asks the warehouse what became of the shipping request. */
  lookUpShipment(input: OrderRef): Promise<ShipmentLookup>;
  /** Whether our books hold a shipping request that is not settled. Asks nobody. */
  findShipmentRequest(input: OrderRef): Promise<{ readonly requested: boolean }>;
  /** Cancels the shipping request; a later ship is refused. Refused itself once the parcel has left. */
  cancelShipment(input: OrderRef): Promise<CancelShipmentOutcome>;
  /** Order `shipped`, stock leaves the books. */
  recordShipped(
    input: OrderRef & { readonly carrier: string; readonly trackingNumber: string },
  ): Promise<void>;
  /** The warehouse answered that it will not ship. */
  recordShipmentRefused(input: OrderRef): Promise<void>;
  /** Order `cancelling`: from here on it is only undone. `request`: the update that asked for it. */
  recordCancelling(
    input: OrderRef & { readonly reason: CancelReason; readonly request?: string | null },
  ): Promise<CancellingRecord>;
  /** Order `cancelled`: every undo is done or was skipped by a person. */
  recordCancelled(input: OrderRef & { readonly reason: CancelReason }): Promise<void>;
  /** Order `needs_attention`, with the steps that wait for a person. */
  recordNeedsAttention(
    input: OrderRef & { readonly steps: readonly string[]; readonly failure: string },
  ): Promise<AttentionRequest>;
  /** A person answered: the order goes back to where the step stands. */
  recordResolved(
    input: OrderRef & {
      readonly step: string;
      readonly decision: Decision;
      readonly note: string;
      readonly actor: string;
      readonly resumes: CheckoutStage;
    },
  ): Promise<void>;
  /** Mails the customer. The Message-ID is constant per order and notice. */
  notifyCustomer(input: OrderRef & { readonly notification: Notification }): Promise<void>;
  /** The notice could not be sent within its retries; the order goes on. */
  recordNotificationFailed(
    input: OrderRef & { readonly notification: Notification; readonly failure: string },
  ): Promise<void>;
  /** The provider gives a requested refund back, or refuses it for good. */
  refundPayment(input: RefundRef): Promise<RefundPaymentOutcome>;
  /** Refund `needs_attention`: its tries are used up, a person redrives it. */
  recordRefundNeedsAttention(input: RefundRef & { readonly failure: string }): Promise<void>;
}

/** `gone`: the subscription exists no more. `again`: time for another worker to have a turn. */
export type PumpOutcome = { readonly kind: 'again' | 'gone' };

export type DeliverOutcome =
  | { readonly kind: 'delivered' }
  /** The subscription or the event exists no more; there is nothing to deliver. */
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'failed';
      readonly error: string;
      readonly retryAfterMs: number | null;
      /** True when no repeat can help. */
      readonly final: boolean;
      /** False when the consumer was not even asked. */
      readonly attempted: boolean;
    };

/** What carries events to subscribers. On a task queue of its own. */
export interface EventActivities {
  /** Hands events to the subscriber as they come, for minutes. Heartbeats, so that a dead one is replaced. */
  pumpSubscription(input: { readonly subscription: string }): Promise<PumpOutcome>;
  /** Tries one event once more. A failure is an answer: the workflow counts and waits. */
  deliverEvent(input: {
    readonly subscription: string;
    readonly eventId: string;
  }): Promise<DeliverOutcome>;
  /** The attempts are used up: the event becomes a dead letter. */
  deadLetterDelivery(input: Delivery & { readonly lastFailedAt: string }): Promise<void>;
}

/** What the sweep does; each is bounded, and safe to repeat and to do twice at once. */
export interface SweepActivities {
  /** Ends pending orders past their deadline: authorization looked up and voided, hold released. */
  expirePending(): Promise<{ readonly expired: number; readonly undecided: number }>;
  /** Finds orders that stopped moving and no running workflow explains; restarts or parks them. */
  checkStuckOrders(): Promise<Readonly<Record<string, number>>>;
  /** The same for refunds somebody asked for. */
  checkStuckRefunds(): Promise<Readonly<Record<string, number>>>;
  /** Expired keys, old events, redrives that came to nothing, letters of what moved on. */
  purgeExpired(): Promise<Readonly<Record<string, number>>>;
  recordSweep(input: { readonly counts: Readonly<Record<string, number>> }): Promise<void>;
}

/** A span of time of a reconciliation's window (ISO 8601, `to` exclusive). */
export interface ReconcileSlice {
  /** The reconciliation. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/** Our books against the providers'. Reading pages, heartbeating; recording twice changes nothing. */
export interface ReconcileActivities {
  /** Opens a run, or finds the one somebody opened. Null: another one runs, or it is over. */
  beginReconciliation(input: {
    readonly scope: 'recent' | 'full';
    readonly reconciliationId: string | null;
    readonly from: string;
    readonly to: string;
  }): Promise<ReconcileSlice | null>;
  reconcilePayments(
    slice: ReconcileSlice,
  ): Promise<{ readonly payments: number; readonly refunds: number }>;
  reconcileShipments(slice: ReconcileSlice): Promise<{ readonly orders: number }>;
  /** Looks again at what was open before and was not seen in this run; what is gone is resolved. */
  recheckDiscrepancies(input: { readonly id: string }): Promise<{ readonly rechecked: number }>;
  endReconciliation(input: {
    readonly id: string;
    readonly status: 'completed' | 'failed';
    readonly checked: Readonly<Record<string, number>>;
  }): Promise<{ readonly found: number; readonly resolved: number }>;
}
