/**
 * The payment provider's records: intents, authorizations, captures, refunds, and their rules. Every
 * function is synchronous and returns a response in Stripe's shape.
 */
import { randomUUID } from 'node:crypto';
import { ok } from '../calls.ts';
import type { ProviderResponse } from '../calls.ts';
import type { SandboxClock } from '../clock.ts';
import type { Journal } from '../journal.ts';
import type { Ledger } from '../ledger.ts';
import { GENERIC_DECLINE, outcomeOf } from './cards.ts';
import type { Decline } from './cards.ts';
import { finalError, failure, invalid, missing } from './errors.ts';
import type { Form } from './form.ts';
import { amountIn, authorizationIn } from './parameters.ts';
import {
  AUTHORIZATION_WINDOW_MS,
  intentSchema,
  orderOf,
  showCharge,
  showIntent,
} from './records.ts';
import type { Intent } from './records.ts';
import type { EventType } from './webhooks.ts';

export interface Step {
  /** The idempotency key, for the ledger. */
  readonly key: string | null;
  readonly form: Form;
  /** A fault demands the business refusal. */
  readonly refused: boolean;
}

export interface IntentStore {
  authorize(step: Step): ProviderResponse;
  capture(id: string, step: Step): ProviderResponse;
  cancel(id: string, step: Step): ProviderResponse;
  /** Undefined when there is none. An expired authorization is canceled. */
  find(id: string): Intent | undefined;
  /** Newest first. */
  all(): readonly Intent[];
  put(intent: Intent): void;
  /** Cancels every expired authorization. */
  expire(): void;
}

export interface IntentDeps {
  readonly journal: Journal;
  readonly clock: SandboxClock;
  readonly ledger: Ledger;
  readonly emit: (type: EventType, object: object) => void;
}

const MAX_INTENTS = 100_000;

export function createIntentStore(deps: IntentDeps): IntentStore {
  const intents = deps.journal.table({ name: 'intents', row: intentSchema, limit: MAX_INTENTS });
  const put = (intent: Intent): void => intents.set(intent.id, intent);

  function current(intent: Intent): Intent {
    const endsMs = intent.created_at_ms + AUTHORIZATION_WINDOW_MS;
    if (intent.status !== 'requires_capture' || deps.clock.now() < endsMs) return intent;
    const expired = canceled(intent, endsMs, 'automatic');
    deps.journal.transact(() => {
      put(expired);
      deps.emit('payment_intent.canceled', showIntent(expired));
    });
    return expired;
  }

  function find(id: string): Intent | undefined {
    const intent = intents.get(id);
    return intent === undefined ? undefined : current(intent);
  }

  return {
    authorize: (step) => authorize(deps, put, step),
    capture: (id, step) =>
      withIntent(find(id), id, (intent) => capture(deps, put, { intent, step })),
    cancel: (id, step) => withIntent(find(id), id, (intent) => cancel(deps, put, { intent, step })),
    find,
    all: () => [...intents.values()].map(current).toReversed(),
    put,
    expire: () => {
      for (const intent of intents.values()) current(intent);
    },
  };
}

type Put = (intent: Intent) => void;

function authorize(deps: IntentDeps, put: Put, step: Step): ProviderResponse {
  const authorization = authorizationIn(step.form);
  if ('body' in authorization) return authorization;
  const outcome = outcomeOf(authorization.paymentMethod);
  if (outcome.kind === 'unknown')
    return missing('payment_method', authorization.paymentMethod, 'param');
  const id = `pi_${token()}`;
  const intent: Intent = {
    id,
    charge_id: `ch_${token()}`,
    client_secret: `${id}_secret_${token()}`,
    amount_minor: authorization.amountMinor,
    currency: authorization.currency,
    status: 'requires_capture',
    captured_minor: 0,
    refunded_minor: 0,
    payment_method: authorization.paymentMethod,
    metadata: step.form.entries('metadata'),
    description: step.form.text('description'),
    decline: null,
    created_at_ms: deps.clock.now(),
    canceled_at_ms: null,
    cancellation_reason: null,
  };
  if (outcome.kind === 'declined') return decline(deps, put, { intent, why: outcome.decline });
  if (step.refused) return decline(deps, put, { intent, why: GENERIC_DECLINE });
  put(intent);
  record(deps, { operation: 'authorize', key: step.key, intent, amountMinor: intent.amount_minor });
  deps.emit('payment_intent.amount_capturable_updated', showIntent(intent));
  return ok(showIntent(intent, step.form.list('expand')));
}

function decline(
  deps: IntentDeps,
  put: Put,
  declined: { readonly intent: Intent; readonly why: Decline },
): ProviderResponse {
  const { why } = declined;
  const intent: Intent = { ...declined.intent, status: 'requires_payment_method', decline: why };
  put(intent);
  deps.emit('payment_intent.payment_failed', showIntent(intent));
  return finalError(402, {
    type: 'card_error',
    code: why.code,
    decline_code: why.declineCode,
    message: why.message,
    payment_intent: showIntent(intent),
  });
}

interface Move {
  readonly intent: Intent;
  readonly step: Step;
}

function capture(deps: IntentDeps, put: Put, { intent, step }: Move): ProviderResponse {
  if (intent.status !== 'requires_capture') return unexpectedState(intent, 'captured');
  const amountMinor = amountIn(step.form, 'amount_to_capture', intent.amount_minor);
  if (typeof amountMinor !== 'number') return amountMinor;
  if (amountMinor > intent.amount_minor) {
    const most = `The amount to capture is more than the ${intent.amount_minor} authorized.`;
    return invalid('amount_to_capture', most, 'amount_too_large');
  }
  if (step.refused) {
    return failure(400, {
      type: 'invalid_request_error',
      code: 'capture_charge_authorization_expired',
      message: 'The card issuer no longer honors this authorization.',
      payment_intent: showIntent(intent),
    });
  }
  const next: Intent = { ...intent, status: 'succeeded', captured_minor: amountMinor };
  put(next);
  record(deps, { operation: 'capture', key: step.key, intent: next, amountMinor });
  deps.emit('payment_intent.succeeded', showIntent(next));
  return ok(showIntent(next, step.form.list('expand')));
}

function cancel(deps: IntentDeps, put: Put, { intent, step }: Move): ProviderResponse {
  if (intent.status === 'succeeded' || intent.status === 'canceled') {
    return unexpectedState(intent, 'canceled');
  }
  if (step.refused) {
    return failure(400, {
      type: 'invalid_request_error',
      code: 'payment_intent_unexpected_state',
      message: 'The provider refuses to void this authorization for now.',
      payment_intent: showIntent(intent),
    });
  }
  const reason = step.form.text('cancellation_reason');
  const next = canceled(intent, deps.clock.now(), reason);
  put(next);
  if (intent.status === 'requires_capture') {
    record(deps, { operation: 'void', key: step.key, intent, amountMinor: intent.amount_minor });
  }
  deps.emit('payment_intent.canceled', showIntent(next));
  return ok(showIntent(next, step.form.list('expand')));
}

/** Records a refund whose amount the caller has checked. */
export function recordRefund(
  deps: IntentDeps,
  put: Put,
  refund: { readonly intent: Intent; readonly key: string | null; readonly amountMinor: number },
): void {
  const refundedMinor = refund.intent.refunded_minor + refund.amountMinor;
  const intent: Intent = { ...refund.intent, refunded_minor: refundedMinor };
  put(intent);
  record(deps, { ...refund, operation: 'refund' });
  deps.emit('charge.refunded', showCharge(intent));
}

function record(
  deps: IntentDeps,
  effect: {
    readonly operation: 'authorize' | 'capture' | 'void' | 'refund';
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

function canceled(intent: Intent, atMs: number, reason: string | null): Intent {
  return { ...intent, status: 'canceled', canceled_at_ms: atMs, cancellation_reason: reason };
}

function withIntent(
  intent: Intent | undefined,
  id: string,
  move: (intent: Intent) => ProviderResponse,
): ProviderResponse {
  return intent === undefined ? missing('payment_intent', id) : move(intent);
}

function unexpectedState(intent: Intent, participle: string): ProviderResponse {
  return finalError(400, {
    type: 'invalid_request_error',
    code: 'payment_intent_unexpected_state',
    message: `This PaymentIntent could not be ${participle} because its status is ${intent.status}.`,
    payment_intent: showIntent(intent),
  });
}

function token(): string {
  return randomUUID().replaceAll('-', '').slice(0, 24);
}
