/**
 * Whether an order may have a checkout. The API and the sweep start one only for an order that may; an
 * operator can start one from the Web UI for any order, at any stage. Only what the records rule out is
 * refused: a run whose first task is lost is admitted again, after it has advanced its order. A run from
 * the start is checked by its first step, which loads the order anyway.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import type { Resume } from '../../domain/attention.ts';
import { CHECKOUT_STAGES } from '../../domain/checkout-steps.ts';
import { findCheckoutProgress, type CheckoutProgress } from '../../prisma/orders/stuck-orders.ts';
import type { Activities } from '../../workflows/activities.ts';
import { notEligible, orderNotFound } from '../failures.ts';
import type { ActivityDependencies } from './dependencies.ts';

export function createAdmissionActivities({
  db,
}: ActivityDependencies): Pick<Activities, 'admitResume'> {
  return {
    async admitResume({ orderId, resume }) {
      const records = await findCheckoutProgress(db, orderId);
      if (records === null) throw orderNotFound(orderId);
      requireCheckout(orderId, records.status);
      const refusal = refuseResume(records, resume);
      if (refusal !== null) throw notEligible(orderId, refusal);
    },
  };
}

/**
 * Throws `not_eligible` for an order that has no checkout: nothing is held or charged for it. A finished
 * order may have one: its steps find what they did.
 */
export function requireCheckout(orderId: OrderId, status: OrderStatus): void {
  const hasNone = status === 'pending' || status === 'declined' || status === 'expired';
  if (hasNone) throw notEligible(orderId, `it is ${status}`);
}

function refuseResume(records: CheckoutProgress, resume: Resume): string | null {
  const { from, resolution, cancelReason, shippedManually } = resume;
  const at = (stage: Resume['from']): number => CHECKOUT_STAGES.indexOf(stage);
  if (at(from) > at(records.from)) return `it is at ${records.from}, not at ${from}`;
  if (shippedManually && !records.shippedManually) return 'it was not shipped manually';
  const asked = resolution?.step.split(', ').every((step) => records.asked.includes(step)) ?? true;
  if (!asked) return `no decision was requested about ${resolution?.step}`;
  const isCancelling = records.from === 'cancelling' || resolution !== null;
  return cancelReason === null || isCancelling ? null : 'it is not being cancelled';
}
