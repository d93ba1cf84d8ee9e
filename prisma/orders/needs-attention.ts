/** Orders that wait for a person: how the wait starts and how it ends. */
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
  /** For steps without a counted attempt. */
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
  const request = {
    orderId,
    type: 'order.needs_attention',
    dedupKey: null,
    attentionStep: waiting.steps.join(', '),
    data: { steps: waiting.steps, failure: waiting.failure },
  } as const;
  const entered = await transitionOrder(tx, { ...request, to: 'needs_attention' });
  const change = entered.kind === 'already' ? await replaceRequest(tx, request) : entered;
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
 * A workflow requests a decision about a step of an order whose whole checkout waits, because the
 * workflow had failed: its request replaces that one, whose dead letter is resolved.
 */
async function replaceRequest(
  tx: Transaction,
  request: Transition & { readonly attentionStep: string },
): Promise<TransitionOutcome> {
  const { orderId, attentionStep } = request;
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
  return transitionOrder(tx, request);
}

/**
 * A person, or a deadline, decided; the order resumes at the step's stage. Counting of attempts starts
 * again. A capture that was done manually is marked on the payment, which must not be voided.
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
