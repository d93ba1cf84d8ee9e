/** An operator's view of an order that needs attention: failed attempts and possible decisions. */
import { decisionsAbout } from '../../domain/checkout-steps.ts';
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
