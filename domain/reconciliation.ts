/**
 * Discrepancies between our records and a provider's about one order. Pure: the records are read
 * elsewhere. An operation in flight is no discrepancy.
 */
import type { ReservationStatus } from './order.ts';
import type { PaymentStatus } from './payment.ts';
import type { ShipmentStatus } from './shipment.ts';

export const DISCREPANCY_KINDS = [
  'charge_without_order',
  'second_payment',
  'payment_missing',
  'payment_state',
  'payment_amount',
  'captured_amount',
  'refunded_amount',
  'reservation_without_order',
  'reservation',
  'reserved_lines',
  'shipment',
  'not_understood',
] as const;
export type DiscrepancyKind = (typeof DISCREPANCY_KINDS)[number];

/** Amounts, states and ids: never personal data. */
type Snapshot = Readonly<Record<string, string | number | null>>;

export interface Discrepancy {
  readonly kind: DiscrepancyKind;
  /** The provider's reference of the payment, or the order. */
  readonly subject: string;
  readonly ours: Snapshot;
  readonly theirs: Snapshot;
}

/** The provider has a record that is not understood: a person compares it. */
export function notUnderstood(subject: string, reason: string): Discrepancy {
  return { kind: 'not_understood', subject, ours: {}, theirs: { reason } };
}

export interface OurPayment {
  readonly orderId: string;
  readonly reference: string | null;
  readonly status: PaymentStatus;
  readonly amountMinor: number;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  /** Accepted by the provider, which is not sure: it may count them as refunded already. */
  readonly pendingRefundMinor: number;
  readonly currency: string;
  /** An operator recorded a manual capture: our own operations do not include it. */
  readonly capturedManually: boolean;
  /** True while an operation on it runs, or ran a moment ago. */
  readonly inFlight: boolean;
}

export interface TheirPayment {
  readonly reference: string;
  /** The order it names; null when it names none. */
  readonly orderId: string | null;
  readonly state:
    'processing' | 'action_required' | 'authorized' | 'captured' | 'voided' | 'declined';
  readonly amountMinor: number;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly currency: string;
}

/** The provider's states that agree with each status of ours. */
const STATES: Readonly<
  Record<PaymentStatus | 'captured_manually', readonly TheirPayment['state'][]>
> = {
  authorizing: ['processing', 'action_required', 'authorized', 'declined', 'voided'],
  // The shopper, or the end of the wait, may just have been faster than the next look-up.
  requires_action: ['processing', 'action_required', 'authorized', 'declined', 'voided'],
  declined: ['declined', 'voided'],
  authorized: ['authorized'],
  captured_manually: ['captured'],
  captured: ['captured'],
  partially_refunded: ['captured'],
  refunded: ['captured'],
  voided: ['voided'],
};

const NOTHING_HELD: readonly TheirPayment['state'][] = [
  'declined',
  'processing',
  'action_required',
];

/** Compares one payment; null when both sides agree. One may be missing. */
export function comparePayment(
  ours: OurPayment | null,
  theirs: TheirPayment | null,
): Discrepancy | null {
  if (ours?.inFlight) return null;
  if (theirs === null) return missingAtProvider(ours);
  const about = (kind: DiscrepancyKind): Discrepancy => ({
    kind,
    subject: theirs.reference,
    ours: ours === null ? {} : paymentSnapshot({ ...ours, state: stateOf(ours) }),
    theirs: paymentSnapshot(theirs),
  });
  if (ours === null) return holdsMoney(theirs) ? about('charge_without_order') : null;
  const another = ours.reference !== null && ours.reference !== theirs.reference;
  if (another) return holdsMoney(theirs) ? about('second_payment') : null;
  if (!STATES[stateOf(ours)].includes(theirs.state)) return about('payment_state');
  if (NOTHING_HELD.includes(theirs.state)) return null;
  if (ours.amountMinor !== theirs.amountMinor || ours.currency !== theirs.currency) {
    return about('payment_amount');
  }
  // Only the operator knows how much was captured and refunded manually.
  if (stateOf(ours) === 'captured_manually') return null;
  if (ours.capturedMinor !== theirs.capturedMinor) return about('captured_amount');
  const most = ours.refundedMinor + ours.pendingRefundMinor;
  const isWithin = theirs.refundedMinor >= ours.refundedMinor && theirs.refundedMinor <= most;
  return isWithin ? null : about('refunded_amount');
}

/** Our state of the payment, with a manual capture taken into account. */
function stateOf({ status, capturedManually }: OurPayment): keyof typeof STATES {
  return status === 'authorized' && capturedManually ? 'captured_manually' : status;
}

export interface OurShipment {
  readonly orderId: string;
  readonly reservation: ReservationStatus;
  /** `sku x quantity`, sorted. */
  readonly lines: readonly string[];
  readonly shipment: ShipmentStatus | null;
  /** True when an operator shipped the order without the warehouse. */
  readonly isManual: boolean;
  /** True while the order is in progress: the warehouse may not have answered yet. */
  readonly inProgress: boolean;
  readonly inFlight: boolean;
}

export interface TheirShipment {
  readonly orderId: string;
  readonly reservation: 'reserved' | 'released' | null;
  readonly lines: readonly string[];
  readonly shipment: ShipmentStatus | null;
}

/** Compares the stock and shipment of one order; null when both sides agree. One may be missing. */
export function compareShipment(
  ours: OurShipment | null,
  theirs: TheirShipment | null,
): Discrepancy | null {
  if (ours?.inFlight) return null;
  const subject = ours?.orderId ?? theirs?.orderId ?? '';
  const about = (kind: DiscrepancyKind): Discrepancy => ({
    kind,
    subject,
    ours: ours === null ? {} : shipmentSnapshot(ours),
    theirs: theirs === null ? {} : shipmentSnapshot(theirs),
  });
  if (ours === null) {
    return theirs?.reservation === 'reserved' ? about('reservation_without_order') : null;
  }
  const kept = theirs?.reservation === 'reserved';
  const wanted = ours.reservation === 'reserved' || ours.reservation === 'shipped';
  const undecided = ours.isManual || (ours.inProgress && ours.reservation === 'held');
  if (kept !== wanted && !undecided) return about('reservation');
  if (kept && wanted && ours.lines.join() !== theirs.lines.join()) return about('reserved_lines');
  if (ours.inProgress || ours.isManual) return null;
  const left = theirs?.shipment === 'shipped';
  return left === (ours.shipment === 'shipped') ? null : about('shipment');
}

function missingAtProvider(ours: OurPayment | null): Discrepancy | null {
  if (ours === null || ours.reference === null || ours.status === 'declined') return null;
  return {
    kind: 'payment_missing',
    subject: ours.reference,
    ours: paymentSnapshot({ ...ours, state: stateOf(ours) }),
    theirs: {},
  };
}

function holdsMoney({ state, capturedMinor, refundedMinor }: TheirPayment): boolean {
  return state === 'authorized' || (state === 'captured' && capturedMinor > refundedMinor);
}

function paymentSnapshot(
  money: Omit<TheirPayment, 'reference' | 'state'> & { readonly state: string },
): Snapshot {
  const { orderId, state, amountMinor, capturedMinor, refundedMinor, currency } = money;
  return {
    order_id: orderId,
    state,
    amount_minor: amountMinor,
    captured_minor: capturedMinor,
    refunded_minor: refundedMinor,
    currency,
  };
}

function shipmentSnapshot({ reservation, lines, shipment }: OurShipment | TheirShipment): Snapshot {
  return { reservation, lines: lines.join(', '), shipment };
}
