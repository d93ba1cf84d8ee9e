/**
 * Disputes, early fraud warnings and reviews of a payment: what the provider, the card's bank or a
 * reviewer there says about it. The statuses are the provider's (https://docs.stripe.com/api/disputes,
 * https://docs.stripe.com/api/radar/early_fraud_warnings, https://docs.stripe.com/api/radar/reviews).
 * Pure.
 */
import type { OrderId } from './ids.ts';

export const CASE_KINDS = ['dispute', 'fraud_warning', 'review'] as const;
export type CaseKind = (typeof CASE_KINDS)[number];

export interface PaymentCase {
  /** The provider's. */
  readonly id: string;
  readonly orderId: OrderId;
  readonly kind: CaseKind;
  readonly status: string;
  /** Of a dispute; in the order's currency as a rule. */
  readonly amountMinor: number | null;
  readonly currency: string | null;
  /** A code, e.g. `fraudulent`, `unauthorized_use_of_card`, `rule`. */
  readonly reason: string;
  readonly isOpen: boolean;
  /** Until when a dispute can be responded to (ISO 8601). */
  readonly respondBy: string | null;
  readonly openedAt: string;
  readonly closedAt: string | null;
}

/** Statuses of a dispute in which the bank has taken the money. An inquiry (`warning_...`) takes none. */
export const WITHDRAWN_STATUSES: readonly string[] = ['needs_response', 'under_review', 'lost'];

/** Statuses in which the shop has to respond to the bank. */
export const RESPONSE_STATUSES: readonly string[] = ['needs_response', 'warning_needs_response'];

/**
 * Statuses of a closed case that speak against sending the parcel: the dispute was lost, the warning
 * ended with a dispute or a refund of all, the review with a refund or a dispute.
 */
export const ADVERSE_STATUSES: readonly string[] = [
  'lost',
  'not_actionable',
  'refunded',
  'refunded_as_fraud',
  'disputed',
];

/** True for a question of the bank's before a dispute: the payment can still be refunded. */
export function isInquiry({ kind, status }: Pick<PaymentCase, 'kind' | 'status'>): boolean {
  return kind === 'dispute' && status.startsWith('warning_');
}

export interface CaseAction {
  readonly action: 'respond' | 'refund' | 'review' | 'cancel' | 'wait';
  readonly effect: string;
}

/** What a person can do about a case; nothing once it is closed. */
export function actionsAbout(
  open: PaymentCase,
  order: { readonly canCancel: boolean },
): readonly CaseAction[] {
  if (!open.isOpen) return [];
  return [...ownActions(open), ...(order.canCancel ? [CANCEL] : [])];
}

const CANCEL: CaseAction = {
  action: 'cancel',
  effect: 'Cancel the order: the parcel stays, and what is left of the payment is refunded.',
};
const WAIT: CaseAction = {
  action: 'wait',
  effect: 'The evidence is with the bank. It decides, often after weeks.',
};

function ownActions(open: PaymentCase): readonly CaseAction[] {
  switch (open.kind) {
    case 'dispute':
      return disputeActions(open);
    case 'fraud_warning':
      return [refund('Refund all of it, before it becomes a dispute.')];
    case 'review':
      return [
        {
          action: 'review',
          effect: "Approve or refund the payment in the provider's dashboard; either closes it.",
        },
      ];
  }
}

function disputeActions(open: PaymentCase): readonly CaseAction[] {
  if (!RESPONSE_STATUSES.includes(open.status)) return [WAIT];
  const until = open.respondBy === null ? '' : ` until ${open.respondBy}`;
  const respond: CaseAction = {
    action: 'respond',
    effect: `Send evidence in the provider's dashboard${until}, or accept the dispute there. Without a response it is lost.`,
  };
  if (!isInquiry(open)) return [respond];
  return [respond, refund('Refund all of it: then the inquiry does not become a dispute.')];
}

function refund(effect: string): CaseAction {
  return { action: 'refund', effect };
}
