/**
 * An operator's view of an order's failing steps: those that wait for a decision, with the possible ones,
 * and those that are being retried.
 */
import { decisionsAbout } from '../../domain/checkout-steps.ts';
import type { RetriedStep } from '../../prisma/orders/retried-steps.ts';
import type { AttentionView } from '../../prisma/orders/step-attempts.ts';
import type { OrderView } from '../schemas/orders.ts';

type AttentionBody = NonNullable<OrderView['attention']>;

export function attentionBody({ since, steps }: AttentionView): AttentionBody {
  return {
    since,
    steps: steps.map((waiting) => ({
      step: waiting.step,
      attempts: waiting.attempts,
      first_failed_at: waiting.firstFailedAt,
      last_failed_at: waiting.lastFailedAt,
      last_failure: waiting.lastFailure,
      dead_letter_id: waiting.deadLetterId,
      decisions: decisionsAbout(waiting.step).map((each) => ({ ...each })),
    })),
  };
}

export function troubleBody(step: RetriedStep): OrderView['trouble'][number] {
  return {
    step: step.step,
    attempts: step.attempts,
    first_failed_at: step.firstFailedAt,
    last_failed_at: step.lastFailedAt,
    last_failure: step.lastFailure,
    next_attempt_at: step.nextAttemptAt,
  };
}
