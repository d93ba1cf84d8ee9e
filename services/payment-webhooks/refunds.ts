/**
 * Webhooks about refunds. A refund is looked up by its id; for a charge, all of its refunds are. What the
 * provider has is applied: ours move on, even after they had succeeded, and those that were made at the
 * provider are recorded. Then the refund's workflow is woken, which notifies the customer.
 */
import { z } from 'zod';
import type { InboxMessage } from '../../prisma/events/inbox.ts';
import { loadPaymentHistories } from '../../prisma/payments/payment-records.ts';
import { applyProviderRefund, type AppliedRefund } from '../../prisma/payments/provider-refunds.ts';
import { markRefundStarted, requireRefundStart } from '../../prisma/payments/refunds.ts';
import type { HandlerOutcome, PaymentWebhookDeps, PaymentWebhookHandler } from './handler.ts';

/** `refund.created`, `refund.updated` and `refund.failed`. */
export const refundHandler: PaymentWebhookHandler = {
  async handle(deps, { payload }) {
    const named = refundPayload.safeParse(payload).data;
    if (named === undefined) return 'not_understood';
    const found = await deps.payments.lookUpRefund(named.object.id);
    if (found.kind === 'absent') return 'unknown_payment';
    if (found.kind !== 'found') return 'later';
    return settle(deps, await applyProviderRefund(deps.db, found.refund));
  },
};

/** `charge.refunded` says only how much of the charge is back in all. Compared when nothing is new. */
export const chargeRefundedHandler: PaymentWebhookHandler = {
  async handle(deps, message) {
    const named = chargePayload.safeParse(message.payload).data;
    if (named === undefined) return 'compare';
    if (await isRecorded(deps, message, named)) return 'compare';
    const listed = await deps.payments.listRefundsOf(named.reference);
    if (listed.kind !== 'listed') return 'later';
    let outcome: HandlerOutcome = 'compare';
    for (const refund of listed.refunds.toReversed()) {
      const settled = await settle(deps, await applyProviderRefund(deps.db, refund));
      if (settled === 'later') outcome = settled;
    }
    return outcome;
  },
};

async function isRecorded(
  { db }: PaymentWebhookDeps,
  { orderId }: InboxMessage,
  { reference, refundedMinor }: z.output<typeof chargePayload>,
): Promise<boolean> {
  const named = { orderId, reference };
  const history = (await loadPaymentHistories(db, [named]))(named);
  return history === null || refundedMinor <= history.refundedMinor;
}

async function settle(deps: PaymentWebhookDeps, applied: AppliedRefund): Promise<HandlerOutcome> {
  if (applied.kind === 'unknown_payment') return applied.kind;
  if (applied.kind === 'no_room') return 'later';
  if (!applied.wakes) return 'done';
  const { db, refunds } = deps;
  const woken = await refunds.wake(await requireRefundStart(db, applied.refundId));
  // Without Temporal the event log starts the workflow later, and its own timer ends its wait.
  if (woken.kind === 'started') await markRefundStarted(db, applied.refundId);
  return 'done';
}

const refundPayload = z.object({
  object: z.object({ type: z.literal('refund'), id: z.string() }),
});
const chargePayload = z.object({ reference: z.string(), refundedMinor: z.int() });
