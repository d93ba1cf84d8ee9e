/** What the moves of a payment have in common: their means, the row in the ledger, the wrong state. */
import type { ProviderResponse } from '../calls.ts';
import type { SandboxClock } from '../clock.ts';
import type { Journal } from '../journal.ts';
import type { Ledger } from '../ledger.ts';
import { finalError } from './errors.ts';
import type { Form } from './form.ts';
import { orderOf, showIntent } from './records.ts';
import type { Intent } from './records.ts';
import type { EventType } from './webhooks.ts';

export interface Step {
  /** The idempotency key, for the ledger. */
  readonly key: string | null;
  readonly form: Form;
  /** A fault demands the business refusal. */
  readonly refused: boolean;
}

export interface IntentDeps {
  readonly journal: Journal;
  readonly clock: SandboxClock;
  readonly ledger: Ledger;
  /** The page where the shopper authenticates this intent. */
  readonly challengeUrl: (intentId: string) => string;
  readonly emit: (type: EventType, object: object) => void;
  /** Called after the payment has moved and its event is on its way. */
  readonly onMoved: (move: IntentMove, intent: Intent) => void;
}

export type IntentMove = 'authorized' | 'captured' | 'canceled' | 'refunded';

export type Put = (intent: Intent) => void;

/** Adds a row to the ledger. */
export function recordEffect(
  deps: IntentDeps,
  effect: {
    readonly operation: 'authorize' | 'capture' | 'void' | 'refund' | 'refund_failed';
    readonly key: string | null;
    readonly intent: Intent;
    readonly amountMinor: number;
  },
): void {
  deps.ledger.record({
    key: effect.key ?? effect.intent.id,
    operation: effect.operation,
    order_id: orderOf(effect.intent),
    amount_minor: effect.amountMinor,
    currency: effect.intent.currency.toUpperCase(),
  });
}

/** The error where a payment's status allows no such move. `participle`: captured, canceled, ... */
export function unexpectedState(intent: Intent, participle: string): ProviderResponse {
  return finalError(400, {
    type: 'invalid_request_error',
    code: 'payment_intent_unexpected_state',
    message: `This PaymentIntent could not be ${participle} because its status is ${intent.status}.`,
    payment_intent: showIntent(intent),
  });
}
