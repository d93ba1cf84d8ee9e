/** The cases of a payment, each with what a person can do about it. */
import type { Order, OrderStatus } from '../../domain/order.ts';
import { actionsAbout, type PaymentCase } from '../../domain/payment-case.ts';
import type { CaseBody } from '../schemas/cases.ts';

/** The parcel has not left, and nothing has cancelled the order yet. */
const CANCELLABLE: readonly OrderStatus[] = ['placed', 'reserved', 'paid', 'needs_attention'];

export function caseBody(about: PaymentCase, order: Order): CaseBody {
  const canCancel = order.cancelReason === null && CANCELLABLE.includes(order.status);
  return {
    id: about.id,
    kind: about.kind,
    status: about.status,
    is_open: about.isOpen,
    amount_minor: about.amountMinor,
    currency: about.currency,
    reason: about.reason,
    respond_by: about.respondBy,
    opened_at: about.openedAt,
    closed_at: about.closedAt,
    actions: actionsAbout(about, { canCancel }).map((each) => ({ ...each })),
  };
}
