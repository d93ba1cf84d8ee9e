/** The stored disputes, early fraud warnings and reviews, and their form in Stripe's API. */
import { z } from 'zod';

export const DISPUTE_STATUSES = [
  'warning_needs_response',
  'warning_under_review',
  'warning_closed',
  'needs_response',
  'under_review',
  'won',
  'lost',
  'prevented',
] as const;
export type DisputeStatus = (typeof DISPUTE_STATUSES)[number];

/** The statuses in which the bank has the disputed money. */
export const WITHDRAWN: readonly DisputeStatus[] = ['needs_response', 'under_review', 'lost'];

const caseFields = {
  id: z.string(),
  intent_id: z.string(),
  charge_id: z.string(),
  created_at_ms: z.number(),
};

export const disputeSchema = z.object({
  ...caseFields,
  amount_minor: z.int(),
  currency: z.string(),
  reason: z.string(),
  status: z.enum(DISPUTE_STATUSES),
  due_by_ms: z.number(),
});
export type Dispute = Readonly<z.output<typeof disputeSchema>>;

export const warningSchema = z.object({
  ...caseFields,
  actionable: z.boolean(),
  fraud_type: z.string(),
});
export type Warning = Readonly<z.output<typeof warningSchema>>;

export const reviewSchema = z.object({
  ...caseFields,
  /** Null while it is open. */
  closed_reason: z.string().nullable(),
});
export type Review = Readonly<z.output<typeof reviewSchema>>;

/** The Stripe Dispute (https://docs.stripe.com/api/disputes/object). */
export function showDispute(dispute: Dispute): object {
  const isWithdrawn = WITHDRAWN.includes(dispute.status);
  return {
    id: dispute.id,
    object: 'dispute',
    amount: dispute.amount_minor,
    balance_transactions: [],
    charge: dispute.charge_id,
    created: seconds(dispute.created_at_ms),
    currency: dispute.currency,
    enhanced_eligibility_types: [],
    evidence: { enhanced_evidence: {} },
    evidence_details: {
      enhanced_eligibility: {},
      due_by: seconds(dispute.due_by_ms),
      has_evidence: false,
      past_due: false,
      submission_count: dispute.status.endsWith('under_review') ? 1 : 0,
    },
    is_charge_refundable: !isWithdrawn,
    livemode: false,
    metadata: {},
    payment_intent: dispute.intent_id,
    reason: dispute.reason,
    status: dispute.status,
  };
}

/** The Stripe EarlyFraudWarning. */
export function showWarning(warning: Warning): object {
  return {
    id: warning.id,
    object: 'radar.early_fraud_warning',
    actionable: warning.actionable,
    charge: warning.charge_id,
    created: seconds(warning.created_at_ms),
    fraud_type: warning.fraud_type,
    livemode: false,
    payment_intent: warning.intent_id,
  };
}

/** The Stripe Review. */
export function showReview(review: Review): object {
  return {
    id: review.id,
    object: 'review',
    billing_zip: null,
    charge: review.charge_id,
    closed_reason: review.closed_reason,
    created: seconds(review.created_at_ms),
    ip_address: null,
    ip_address_location: null,
    livemode: false,
    open: review.closed_reason === null,
    opened_reason: 'rule',
    payment_intent: review.intent_id,
    reason: review.closed_reason ?? 'rule',
    session: null,
  };
}

function seconds(atMs: number): number {
  return Math.floor(atMs / 1_000);
}
