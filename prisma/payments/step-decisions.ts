/** The decision about a step that waited for a person, with what it means for the payment. */
import type { OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import type { Database } from '../client/client.ts';
import { resolveDeadLetter } from '../events/dead-letters.ts';
import { orderTransaction, transitionOrder, type TransitionOutcome } from '../orders/transition.ts';
import { skipRemainingRefund } from './compensation-refunds.ts';

/**
 * A person, or a deadline, decided; the order resumes at the step's stage. Counting of attempts starts
 * again. A capture that was done manually is marked on the payment, which must not be voided; a refund that
 * was done manually is not claimed any more.
 */
export async function recordResolved(
  db: Database,
  orderId: OrderId,
  resolved: {
    readonly step: string;
    readonly decision: string;
    readonly note: string;
    readonly actor: string;
    readonly resumes: OrderStatus;
  },
): Promise<TransitionOutcome> {
  const { resumes, ...data } = resolved;
  return orderTransaction(db, orderId, async (tx) => {
    const change = await transitionOrder(tx, {
      orderId,
      type: 'order.attention_resolved',
      to: resumes,
      dedupKey: null,
      data,
      causationId: resolved.actor,
    });
    const { step, decision } = resolved;
    if (change.kind === 'changed' && decision === 'skip') {
      if (step === 'capturePayment') {
        await tx.payment.updateMany({ where: { orderId }, data: { capturedManually: true } });
      }
      if (step === 'voidOrRefundPayment') await skipRemainingRefund(tx, orderId);
    }
    await resolveDeadLetter(tx, { source: 'checkout', subject: step, orderId, eventId: null });
    await tx.stepAttempt.deleteMany({ where: { orderId, step } });
    return change;
  });
}
