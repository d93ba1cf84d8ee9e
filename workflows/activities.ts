/**
 * The contract between workflows and activities. Plain JSON in and out: ids, integers, strings; never
 * personal data. A business result is a value with a `kind`; a fault is thrown and retried by
 * Temporal as long as its type says (`RETRY_CLASS` in domain/failures.ts).
 */
import type { Resume } from '../domain/attention.ts';
import type { CheckoutStage, Decision } from '../domain/checkout-steps.ts';
import type { Delivery } from '../domain/delivery.ts';
import type { Notification, OrderId, RefundId } from '../domain/ids.ts';
import type { CancelReason } from '../domain/order.ts';

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

/** `pending`: accepted by the provider and not sure; to be followed for so long from now. */
export type RefundPaymentOutcome =
  | { readonly kind: 'refunded'; readonly amountMinor: number }
  | { readonly kind: 'pending'; readonly followForMs: number }
  | { readonly kind: 'refused'; readonly code: string };

export type RequestShipmentOutcome =
  | { readonly kind: 'requested' }
  | { readonly kind: 'refused'; readonly reason: string }
  /**
   * Not requested: a dispute, a fraud warning or a review speaks against it. A person is asked when they
   * are not closed within `leftMs`; 0: at once.
   */
  | {
      readonly kind: 'held';
      readonly leftMs: number;
      /** E.g. `review prv_...`. */
      readonly cases: readonly string[];
    };

/** The warehouse's answer to a shipping request, by callback or by look-up. */
export type ShipmentAnswer =
  | { readonly kind: 'shipped'; readonly carrier: string; readonly trackingNumber: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** `absent`: the warehouse never got the request. `cancelled`: it will never ship. */
export type ShipmentLookup =
  | ShipmentAnswer
  | { readonly kind: 'pending' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'cancelled' };

export type CancelShipmentOutcome =
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'already_shipped'; readonly carrier: string; readonly trackingNumber: string };

export interface AttentionRequest {
  /** From the start of the workflow to the expiry of an uncaptured authorization; null when there is none. */
  readonly authorizationLeftAtStartMs: number | null;
  /** The dead letter of each step that waits. Old histories lack them. */
  readonly deadLetters?: Readonly<Record<string, string>>;
}

/** The records of an order that became `cancelling`; no shipping request is recorded after that. */
export interface CancellingRecord {
  /** The parcel of an order that was shipped before: it stays shipped. */
  readonly shipped: Extract<ShipmentAnswer, { kind: 'shipped' }> | null;
  readonly shipmentRequested: boolean;
  /** The first reason to cancel the order; a later one does not replace it. */
  readonly reason: CancelReason;
  /** True when an earlier run has given back money or units. Earlier versions do not say it. */
  readonly compensated?: boolean;
}

export interface Activities {
  /** Fails with `not_eligible` when the order may have no checkout that continues there. */
  admitResume(input: OrderRef & { readonly resume: Resume }): Promise<void>;
  /**
   * Reserves the order's lines at the warehouse; order `reserved`. Compensation: `releaseStock`. The first
   * step: fails with `not_eligible` when the order may have no checkout.
   */
  reserveStock(input: OrderRef): Promise<ReserveStockOutcome>;
  /** Releases reservation and hold. Does nothing when nothing was reserved; a later reserve is refused. */
  releaseStock(input: OrderRef): Promise<void>;
  /** Captures the authorized amount; order `paid`. Compensation: `voidOrRefundPayment`. */
  capturePayment(input: OrderRef): Promise<CapturePaymentOutcome>;
  /** Looks up the payment, then voids or refunds it. Fails for one that was captured elsewhere. */
  voidOrRefundPayment(input: OrderRef): Promise<VoidOrRefundOutcome>;
  /**
   * Requests the shipment, unless it is held. The answer comes later, under the correlation id.
   * Compensation: `cancelShipment`.
   */
  requestShipment(input: OrderRef): Promise<RequestShipmentOutcome>;
  /** Looks up the shipping request at the warehouse. */
  lookUpShipment(input: OrderRef): Promise<ShipmentLookup>;
  /** Whether the database has an open shipping request. Calls no provider. */
  findShipmentRequest(input: OrderRef): Promise<{ readonly requested: boolean }>;
  /** Cancels the shipping request; a later ship is refused. `already_shipped`: the parcel has left. */
  cancelShipment(input: OrderRef): Promise<CancelShipmentOutcome>;
  /** Order `shipped`; the units leave the stock. Without a result no SMS is sent. */
  recordShipped(
    input: OrderRef & { readonly carrier: string; readonly trackingNumber: string },
  ): Promise<{ readonly sms: true } | undefined>;
  /** The warehouse refused to ship. */
  recordShipmentRefused(input: OrderRef): Promise<void>;
  /**
   * Order `cancelling`: it only compensates from now on. `request`: the update that cancelled it;
   * `actor`: who sent it, if not the API.
   */
  recordCancelling(
    input: OrderRef & {
      readonly reason: CancelReason;
      readonly request?: string | null;
      readonly actor?: string | null;
    },
  ): Promise<CancellingRecord>;
  /** Order `cancelled`: every compensation is done or was skipped by an operator. */
  recordCancelled(input: OrderRef & { readonly reason: CancelReason }): Promise<void>;
  /** Order `needs_attention`, with the steps that need a decision. */
  recordNeedsAttention(
    input: OrderRef & { readonly steps: readonly string[]; readonly failure: string },
  ): Promise<AttentionRequest>;
  /** Records a decision; the order resumes at the given stage. */
  recordResolved(
    input: OrderRef & {
      readonly step: string;
      readonly decision: Decision;
      readonly note: string;
      readonly actor: string;
      readonly resumes: CheckoutStage;
    },
  ): Promise<void>;
  /**
   * Sends an e-mail, with a constant Message-ID, or an SMS, which is looked up first. Sends no confirmation of
   * an order that is being cancelled.
   */
  notifyCustomer(input: OrderRef & { readonly notification: Notification }): Promise<void>;
  /** The notification could not be sent within its retry budget; the order continues. */
  recordNotificationFailed(
    input: OrderRef & { readonly notification: Notification; readonly failure: string },
  ): Promise<void>;
  /** Refunds a requested amount. `refused`: the provider will never refund it. */
  refundPayment(input: RefundRef): Promise<RefundPaymentOutcome>;
  /** Looks up a refund that the provider has accepted, and records what has become of it. */
  lookUpRefund(input: RefundRef): Promise<RefundPaymentOutcome>;
  /**
   * Refund `needs_attention`: its retry budget is used up, or it was pending for too long. An operator
   * redrives its dead letter. Old histories have no result.
   */
  recordRefundNeedsAttention(
    input: RefundRef & { readonly failure: string },
  ): Promise<{ readonly deadLetterId: string | null } | undefined>;
}

/** `gone`: the subscription does not exist. `again`: run the next pump, perhaps on another worker. */
export type PumpOutcome = { readonly kind: 'again' | 'gone' };

export type DeliverOutcome =
  | { readonly kind: 'delivered' }
  /** The subscription does not exist any more. */
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'failed';
      readonly error: string;
      readonly retryAfterMs: number | null;
      /** True when a retry cannot succeed. */
      readonly final: boolean;
      /** False when the subscriber was not called. */
      readonly attempted: boolean;
    };

/** Event delivery. It has a task queue of its own. */
export interface EventActivities {
  /** Delivers events as they are recorded, for minutes. Heartbeats, so that a dead pump is replaced. */
  pumpSubscription(input: { readonly subscription: string }): Promise<PumpOutcome>;
  /** Attempts to deliver one event. A failure is a result: the workflow counts it and waits. */
  deliverEvent(input: {
    readonly subscription: string;
    readonly eventId: string;
  }): Promise<DeliverOutcome>;
  /** Records a dead letter: the attempts are used up. */
  deadLetterDelivery(input: Delivery & { readonly lastFailedAt: string }): Promise<void>;
}

/** The sweep. Each activity is bounded, and safe to repeat and to run twice at once. */
export interface SweepActivities {
  /** Expires overdue pending orders: looks up and voids the authorization, releases the hold. */
  expirePending(): Promise<{ readonly expired: number; readonly undecided: number }>;
  /** Finds orders without progress and without a running workflow; restarts or escalates them. */
  checkStuckOrders(): Promise<Readonly<Record<string, number>>>;
  /** The same for requested refunds. */
  checkStuckRefunds(): Promise<Readonly<Record<string, number>>>;
  /** The same for jobs: one whose workflow is gone is started again, or has failed. */
  checkStuckJobs(): Promise<Readonly<Record<string, number>>>;
  /** Purges what is old, expires store credit, reopens lost redrives, closes stale dead letters. */
  purgeExpired(): Promise<Readonly<Record<string, number>>>;
  recordSweep(input: { readonly counts: Readonly<Record<string, number>> }): Promise<void>;
}

/** A part of a reconciliation's window (ISO 8601, `to` exclusive). */
export interface ReconcileSlice {
  /** The reconciliation. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Compares our records with the providers'. Reads in pages with heartbeats; recording twice is safe.
 * `failed`: records that could not be compared, while the others were.
 */
export interface ReconcileActivities {
  /** Opens a run, or finds the one that was opened. Null: another one runs, or this one has ended. */
  beginReconciliation(input: {
    readonly scope: 'recent' | 'full';
    readonly reconciliationId: string | null;
    readonly from: string;
    readonly to: string;
  }): Promise<ReconcileSlice | null>;
  reconcilePayments(slice: ReconcileSlice): Promise<{
    readonly payments: number;
    readonly refunds: number;
    /** Old histories lack them. */
    readonly cases?: number;
    readonly failed: number;
  }>;
  reconcileShipments(
    slice: ReconcileSlice,
  ): Promise<{ readonly orders: number; readonly failed: number }>;
  /** Rechecks open discrepancies that this run did not find; resolves those that are gone. */
  recheckDiscrepancies(input: {
    readonly id: string;
  }): Promise<{ readonly rechecked: number; readonly failed: number }>;
  endReconciliation(input: {
    readonly id: string;
    readonly status: 'completed' | 'failed';
    readonly checked: Readonly<Record<string, number>>;
  }): Promise<{ readonly found: number; readonly resolved: number }>;
}
