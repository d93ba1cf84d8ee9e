/** Refunds of captured payments, never more than was captured. */
import { randomUUID } from 'node:crypto';
import { ok } from '../calls.ts';
import type { ProviderResponse } from '../calls.ts';
import { finalError, failure, invalid, missing } from './errors.ts';
import { recordRefund } from './intents.ts';
import type { IntentStore } from './intents.ts';
import { partIn } from './parameters.ts';
import { refundSchema, showIntent, showRefund } from './records.ts';
import type { Intent, Refund } from './records.ts';
import type { IntentDeps, Step } from './steps.ts';

export interface RefundStore {
  refund(step: Step): ProviderResponse;
  find(id: string): Refund | undefined;
  /** Newest first. */
  all(): readonly Refund[];
}

const MAX_REFUNDS = 100_000;

export function createRefundStore(deps: IntentDeps, intents: IntentStore): RefundStore {
  const refunds = deps.journal.table({ name: 'refunds', row: refundSchema, limit: MAX_REFUNDS });
  return {
    find: (id) => refunds.get(id),
    all: () => [...refunds.values()].toReversed(),
    refund: (step) => {
      const intent = intentIn(step, intents);
      if ('body' in intent) return intent;
      const amountMinor = refundable(intent, step);
      if (typeof amountMinor !== 'number') return amountMinor;
      const refund: Refund = {
        id: `re_${randomUUID().replaceAll('-', '').slice(0, 24)}`,
        intent_id: intent.id,
        charge_id: intent.charge_id,
        amount_minor: amountMinor,
        currency: intent.currency,
        reason: step.form.text('reason'),
        metadata: step.form.entries('metadata'),
        created_at_ms: deps.clock.now(),
      };
      refunds.set(refund.id, refund);
      recordRefund(deps, intents.put, { intent, key: step.key ?? refund.id, amountMinor });
      return ok(showRefund(refund));
    },
  };
}

function intentIn(step: Step, intents: IntentStore): Intent | ProviderResponse {
  const id = step.form.text('payment_intent');
  if (id !== null) return intents.find(id) ?? missing('payment_intent', id, 'param');
  return invalid('payment_intent', 'Give payment_intent.', 'parameter_missing');
}

/** The amount to refund, or the error response. */
function refundable(intent: Intent, step: Step): number | ProviderResponse {
  if (intent.status !== 'succeeded') {
    return finalError(400, {
      type: 'invalid_request_error',
      code: 'payment_intent_unexpected_state',
      message: `This PaymentIntent (${intent.id}) does not have a successful charge to refund.`,
      payment_intent: showIntent(intent),
    });
  }
  if (intent.disputed_minor > 0) {
    return finalError(400, {
      type: 'invalid_request_error',
      code: 'charge_disputed',
      message: `Charge ${intent.charge_id} has been charged back; it cannot be refunded.`,
    });
  }
  const leftMinor = intent.captured_minor - intent.refunded_minor;
  if (leftMinor === 0) {
    return finalError(400, {
      type: 'invalid_request_error',
      code: 'charge_already_refunded',
      message: `Charge ${intent.charge_id} has already been refunded.`,
    });
  }
  const amountMinor = partIn(step.form, 'amount', { whole: leftMinor, currency: intent.currency });
  if (typeof amountMinor !== 'number') return amountMinor;
  if (amountMinor > leftMinor) {
    const most = `Refund amount (${amountMinor}) is greater than unrefunded amount (${leftMinor}).`;
    return invalid('amount', most, 'amount_too_large');
  }
  if (!step.refused) return amountMinor;
  return failure(400, {
    type: 'invalid_request_error',
    code: 'insufficient_funds',
    message: 'The balance does not cover this refund for now.',
  });
}
