/**
 * The payment provider's records: intents, authorizations, captures, refunds, and their rules. Every
 * function is synchronous and returns a response in Stripe's shape.
 */
import { ok } from '../calls.ts';
import type { ProviderResponse } from '../calls.ts';
import { authenticate, authorize } from './authorize.ts';
import type { Authentication } from './authorize.ts';
import { finalError, invalid, missing } from './errors.ts';
import { partIn } from './parameters.ts';
import { intentSchema, showIntent } from './records.ts';
import type { Intent } from './records.ts';
import { recordEffect, unexpectedState } from './steps.ts';
import type { IntentDeps, Put, Step } from './steps.ts';

export interface IntentStore {
  authorize(step: Step): ProviderResponse;
  /** What the shopper did where the card asks for authentication. */
  authenticate(id: string, authentication: Authentication): ProviderResponse;
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

const MAX_INTENTS = 100_000;

export function createIntentStore(deps: IntentDeps): IntentStore {
  const intents = deps.journal.table({ name: 'intents', row: intentSchema, limit: MAX_INTENTS });
  const put = (intent: Intent): void => intents.set(intent.id, intent);

  function current(intent: Intent): Intent {
    const { status, authorized_at_ms: authorizedAtMs } = intent;
    if (status !== 'requires_capture' || authorizedAtMs === null) return intent;
    const endsMs = authorizedAtMs + intent.window_ms;
    if (deps.clock.now() < endsMs) return intent;
    const expired = canceled(intent, endsMs, 'expired');
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
    authorize: (step) => authorize({ ...deps, put }, step),
    authenticate: (id, authentication) =>
      withIntent(find(id), id, (intent) => authenticate({ ...deps, put }, intent, authentication)),
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

interface Move {
  readonly intent: Intent;
  readonly step: Step;
}

function capture(deps: IntentDeps, put: Put, { intent, step }: Move): ProviderResponse {
  if (intent.status !== 'requires_capture') return unexpectedState(intent, 'captured');
  const { amount_minor: whole, currency } = intent;
  const amountMinor = partIn(step.form, 'amount_to_capture', { whole, currency });
  if (typeof amountMinor !== 'number') return amountMinor;
  if (amountMinor > intent.amount_minor) {
    const most = `The amount to capture is more than the ${intent.amount_minor} authorized.`;
    return invalid('amount_to_capture', most, 'amount_too_large');
  }
  if (step.refused) {
    return finalError(400, {
      type: 'invalid_request_error',
      code: 'capture_charge_authorization_expired',
      message: 'The card issuer no longer honors this authorization.',
      payment_intent: showIntent(intent),
    });
  }
  const next: Intent = { ...intent, status: 'succeeded', captured_minor: amountMinor };
  put(next);
  recordEffect(deps, { operation: 'capture', key: step.key, intent: next, amountMinor });
  deps.emit('payment_intent.succeeded', showIntent(next));
  deps.onMoved('captured', next);
  return ok(showIntent(next, step.form.list('expand')));
}

function cancel(deps: IntentDeps, put: Put, { intent, step }: Move): ProviderResponse {
  if (intent.status === 'succeeded' || intent.status === 'canceled') {
    return unexpectedState(intent, 'canceled');
  }
  if (step.refused) {
    return finalError(400, {
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
    recordEffect(deps, {
      operation: 'void',
      key: step.key,
      intent,
      amountMinor: intent.amount_minor,
    });
  }
  deps.emit('payment_intent.canceled', showIntent(next));
  deps.onMoved('canceled', next);
  return ok(showIntent(next, step.form.list('expand')));
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
