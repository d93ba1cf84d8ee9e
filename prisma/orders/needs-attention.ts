/** Orders that wait for a person: how the wait starts. payments/step-decisions.ts says how it ends. */
import { z } from 'zod';
import { CHECKOUT_STEP } from '../../domain/checkout-steps.ts';
import type { OrderId } from '../../domain/ids.ts';
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

/** True when an operator has skipped the step: it was done outside of Holdfast. */
export async function wasSkipped(
  tx: Transaction,
  orderId: OrderId,
  step: string,
): Promise<boolean> {
  const decided = await tx.event.findMany({
    where: { orderId, type: 'order.attention_resolved' },
    select: { data: true },
  });
  return decided.some(({ data }) => skipped.safeParse(data).data?.step === step);
}

const skipped = z.object({ step: z.string(), decision: z.literal('skip') });
