/** Authorizations: at once, or after the shopper authenticated, as the card asks. */
import { randomUUID } from 'node:crypto';
import { ok } from '../calls.ts';
import type { ProviderResponse } from '../calls.ts';
import { AUTHENTICATION_FAILURE, GENERIC_DECLINE, outcomeOf, troubleOf } from './cards.ts';
import type { Decline } from './cards.ts';
import { finalError, missing } from './errors.ts';
import { authorizationIn } from './parameters.ts';
import { AUTHORIZATION_WINDOW_MS, EXTENDED_WINDOW_MS, showIntent } from './records.ts';
import type { Intent } from './records.ts';
import { recordEffect, unexpectedState } from './steps.ts';
import type { IntentDeps, Put, Step } from './steps.ts';

/** What a shopper does where the bank asks for authentication. */
export type Authentication = 'authenticated' | 'failed';

/** Every card of the sandbox can be held for longer. */
const EXTENSION = 'payment_method_options[card][request_extended_authorization]';

interface Means extends IntentDeps {
  readonly put: Put;
}

/** Only the success of an authorization is an effect in the ledger, not the wait for a shopper. */
export function authorize(means: Means, step: Step): ProviderResponse {
  const authorization = authorizationIn(step.form);
  if ('body' in authorization) return authorization;
  const { amountMinor, currency, paymentMethod } = authorization;
  const outcome = outcomeOf(paymentMethod);
  if (outcome.kind === 'unknown') return missing('payment_method', paymentMethod, 'param');
  const id = `pi_${token()}`;
  const intent: Intent = {
    id,
    charge_id: `ch_${token()}`,
    client_secret: `${id}_secret_${token()}`,
    key: step.key,
    challenge_url: outcome.kind === 'challenge' ? means.challengeUrl(id) : null,
    amount_minor: amountMinor,
    currency,
    status: 'requires_action',
    captured_minor: 0,
    refunded_minor: 0,
    disputed_minor: 0,
    review_id: troubleOf(paymentMethod)?.kind === 'review' ? `prv_${token()}` : null,
    payment_method: paymentMethod,
    metadata: step.form.entries('metadata'),
    description: step.form.text('description'),
    decline: null,
    created_at_ms: means.clock.now(),
    authorized_at_ms: null,
    window_ms:
      step.form.text(EXTENSION) === 'if_available' ? EXTENDED_WINDOW_MS : AUTHORIZATION_WINDOW_MS,
    canceled_at_ms: null,
    cancellation_reason: null,
  };
  if (outcome.kind === 'declined') return refuse(decline(means, intent, outcome.decline));
  if (step.refused) return refuse(decline(means, intent, GENERIC_DECLINE));
  const next = outcome.kind === 'challenge' ? challenge(means, intent) : approve(means, intent);
  return ok(showIntent(next, step.form.list('expand')));
}

/** Settles an intent that waits for its shopper. The response is the intent, whatever it became. */
export function authenticate(
  means: Means,
  intent: Intent,
  authentication: Authentication,
): ProviderResponse {
  if (intent.status !== 'requires_action') return unexpectedState(intent, 'authenticated');
  const outcome = outcomeOf(intent.payment_method);
  const refusal = outcome.kind === 'challenge' ? outcome.refusal : null;
  const why = authentication === 'failed' ? AUTHENTICATION_FAILURE : refusal;
  return ok(showIntent(why === null ? approve(means, intent) : decline(means, intent, why)));
}

function challenge({ put, emit }: Means, intent: Intent): Intent {
  put(intent);
  emit('payment_intent.requires_action', showIntent(intent));
  return intent;
}

function approve(means: Means, intent: Intent): Intent {
  const authorized: Intent = {
    ...intent,
    status: 'requires_capture',
    authorized_at_ms: means.clock.now(),
  };
  means.put(authorized);
  const { key, amount_minor: amountMinor } = intent;
  recordEffect(means, { operation: 'authorize', key, intent: authorized, amountMinor });
  means.emit('payment_intent.amount_capturable_updated', showIntent(authorized));
  means.onMoved('authorized', authorized);
  return authorized;
}

function decline({ put, emit }: Means, intent: Intent, why: Decline): Intent {
  const declined: Intent = { ...intent, status: 'requires_payment_method', decline: why };
  put(declined);
  emit('payment_intent.payment_failed', showIntent(declined));
  return declined;
}

/** The response to a request whose payment was declined at once. */
function refuse(intent: Intent): ProviderResponse {
  const { code, declineCode, message } = intent.decline ?? GENERIC_DECLINE;
  return finalError(402, {
    type: 'card_error',
    code,
    ...(declineCode !== null && { decline_code: declineCode }),
    message,
    payment_intent: showIntent(intent),
  });
}

function token(): string {
  return randomUUID().replaceAll('-', '').slice(0, 24);
}
