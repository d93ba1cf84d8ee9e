/** Webhooks about disputes, early fraud warnings and reviews. */
import { z } from 'zod';
import type { CaseKind } from '../../domain/payment-case.ts';
import { followCase } from '../payment-cases.ts';
import type { PaymentWebhookHandler } from './handler.ts';

export const followsDispute = handlerFor('dispute', 'dispute');
export const followsWarning = handlerFor('fraud_warning', 'radar.early_fraud_warning');
export const followsReview = handlerFor('review', 'review');

function handlerFor(kind: CaseKind, type: string): PaymentWebhookHandler {
  const named = z.object({ object: z.object({ type: z.literal(type), id: z.string() }) });
  return {
    async handle(deps, { payload }) {
      const parsed = named.safeParse(payload);
      if (!parsed.success) return 'not_understood';
      return followCase(deps, { kind, id: parsed.data.object.id });
    },
  };
}
