/**
 * Whether an order may have a checkout. The API and the sweep start one only for an order that may; an
 * operator can start one from the Web UI for any order, at any stage. Only what the records rule out is
 * refused: a run whose first task is lost is admitted again, after it has advanced its order.
 */
import type { Resume } from '../../domain/attention.ts';
import { CHECKOUT_STAGES } from '../../domain/checkout-steps.ts';
import { findCheckoutProgress, type CheckoutProgress } from '../../prisma/orders/stuck-orders.ts';
import type { Activities } from '../../workflows/activities.ts';
import { notEligible, orderNotFound } from '../failures.ts';
import type { ActivityDependencies } from './dependencies.ts';

export function createAdmissionActivities({
  db,
}: ActivityDependencies): Pick<Activities, 'admitCheckout'> {
  return {
    async admitCheckout({ orderId, resume }) {
      const records = await findCheckoutProgress(db, orderId);
      if (records === null) throw orderNotFound(orderId);
      const refusal = refuseStatus(records) ?? (resume && refuseResume(records, resume));
      if (refusal !== null) throw notEligible(orderId, refusal);
    },
  };
}

/** Nothing is held or charged for these. A finished order may: its steps find what they did. */
function refuseStatus({ status }: CheckoutProgress): string | null {
  const hasCheckout = status !== 'pending' && status !== 'declined' && status !== 'expired';
  return hasCheckout ? null : `it is ${status}`;
}

function refuseResume(records: CheckoutProgress, resume: Resume): string | null {
  const { from, resolution, cancelReason, shippedManually } = resume;
  const at = (stage: Resume['from']): number => CHECKOUT_STAGES.indexOf(stage);
  if (at(from) > at(records.from)) return `it is at ${records.from}, not at ${from}`;
  if (shippedManually && !records.shippedManually) return 'it was not shipped manually';
  const asked = resolution?.step.split(', ').every((step) => records.asked.includes(step)) ?? true;
  if (!asked) return `nobody was asked about ${resolution?.step}`;
  const isCancelling = records.from === 'cancelling' || resolution !== null;
  return cancelReason === null || isCancelling ? null : 'nobody has cancelled it';
}
