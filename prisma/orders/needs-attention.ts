/** Orders that wait for a person: how they come to wait, and how they go on. */
import { CHECKOUT_STEP } from '../../domain/checkout-steps.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import { recordStepDeadLetter } from './step-attempts.ts';
import {
  transitionOrder,
  orderTransaction,
  type Transition,
  type TransitionOutcome,
} from './transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { resolveDeadLetter } from '../events/dead-letters.ts';

export interface PendingStep {
  readonly steps: readonly string[];
  /** For steps of which no attempt was counted. */
  readonly failure: string;
}

/** Order `needs_attention`: a person has to decide about the steps. */
export async function recordNeedsAttention(
  db: Database,
  orderId: OrderId,
  waiting: PendingStep,
): Promise<TransitionOutcome> {
  return orderTransaction(db, orderId, (tx) => markNeedsAttention(tx, orderId, waiting));
}

/** The same within a transaction of the order. */
export async function markNeedsAttention(
  tx: Transaction,
  orderId: OrderId,
  waiting: PendingStep,
): Promise<TransitionOutcome> {
  const asked = {
    orderId,
    type: 'order.needs_attention',
    dedupKey: null,
    attentionStep: waiting.steps.join(', '),
    data: { steps: waiting.steps, failure: waiting.failure },
  } as const;
  const entered = await transitionOrder(tx, { ...asked, to: 'needs_attention' });
  const change = entered.kind === 'already' ? await replaceRequest(tx, asked) : entered;
  if (change.kind !== 'changed') return change;
  for (const step of waiting.steps) {
    await recordStepDeadLetter(tx, orderId, {
      ...waiting,
      step,
      subject: step,
      source: 'checkout',
    });
  }
  return change;
}

/**
 * A workflow asks about a step of an order that the sweep parked as a whole, because the workflow
 * failed until now: its question takes the place of the sweep's, and the letter about that is closed.
 */
async function replaceRequest(
  tx: Transaction,
  asked: Transition & { readonly attentionStep: string },
): Promise<TransitionOutcome> {
  const { orderId, attentionStep } = asked;
  const isWholeCheckoutPending = { id: orderId, attentionStep: CHECKOUT_STEP };
  if (
    attentionStep === CHECKOUT_STEP ||
    (await tx.order.count({ where: isWholeCheckoutPending })) === 0
  ) {
    return { kind: 'already' };
  }
  await resolveDeadLetter(tx, {
    source: 'checkout',
    subject: CHECKOUT_STEP,
    orderId,
    eventId: null,
  });
  return transitionOrder(tx, asked);
}

/**
 * A person, or the clock, decided; the order stands where the step stands. Counting begins anew. Money
 * that was captured by hand is no money that is only held: the payment says so from here on.
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
    if (change.kind === 'changed' && step === 'capturePayment' && decision === 'skip') {
      await tx.payment.updateMany({ where: { orderId }, data: { capturedManually: true } });
    }
    await resolveDeadLetter(tx, { source: 'checkout', subject: step, orderId, eventId: null });
    await tx.stepAttempt.deleteMany({ where: { orderId, step } });
    return change;
  });
}
