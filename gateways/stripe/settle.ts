/**
 * Capture and void. Each may be repeated any number of times, also after Stripe has deleted its key and
 * under several keys (keys.ts): the intent's state allows one, and one already in it counts as done.
 */
import type Stripe from 'stripe';
import { Inconclusive } from '../resilience/faults.ts';
import type { CaptureOutcome, SettleRequest, VoidOutcome } from '../payments.ts';
import { inconclusive, parseResponse } from './client.ts';
import type { StripeCall } from './client.ts';
import { withDerivedKeys } from './keys.ts';
import { referenceOf, retrieveIntent, reviewOf, wasAuthorized } from './lookup.ts';
import { toStripeAmount } from './money.ts';

/** Captures. `refused: authorization_expired_or_voided` when nothing is authorized any more. */
export function capture(call: StripeCall, request: SettleRequest): Promise<CaptureOutcome> {
  const { reference, amount } = request;
  const params = { amount_to_capture: toStripeAmount(amount) };
  const settled = async (): Promise<CaptureOutcome | null> => {
    const intent = await settledIntent(call, reference);
    if (intent.status === 'canceled') return refused(GONE);
    return intent.status === 'succeeded'
      ? { kind: 'done', reference, review: reviewOf(intent) }
      : null;
  };
  return withDerivedKeys<CaptureOutcome>(call, request.key, {
    send: async (key) => {
      const options = optionsOf(call, key);
      const intent = await call.stripe.paymentIntents.capture(reference, params, options);
      return { ...doneWhen(intent, 'succeeded'), review: reviewOf(intent) };
    },
    refused: async ({ code }) => {
      if (code === 'charge_expired_for_capture') return refused(GONE);
      return (code === UNEXPECTED_STATE ? await settled() : null) ?? refused(code);
    },
    replayed: settled,
  });
}

/**
 * Voids: cancels the intent, whether it is authorized or waits for the shopper.
 * `refused: already_captured` when it was captured: then refund it.
 */
export function voidAuthorization(call: StripeCall, request: SettleRequest): Promise<VoidOutcome> {
  const { reference } = request;
  const params = { expand: ['latest_charge'] };
  const settled = async (): Promise<VoidOutcome | null> => {
    const intent = await settledIntent(call, reference);
    if (intent.status === 'succeeded') return refused('already_captured');
    return intent.status === 'canceled'
      ? { kind: 'done', reference, wasAuthorized: wasAuthorized(intent) }
      : null;
  };
  return withDerivedKeys<VoidOutcome>(call, request.key, {
    send: async (key) => {
      const options = optionsOf(call, key);
      const intent = await call.stripe.paymentIntents.cancel(reference, params, options);
      return { ...doneWhen(intent, 'canceled'), wasAuthorized: wasAuthorized(intent) };
    },
    refused: async ({ code }) =>
      (code === UNEXPECTED_STATE ? await settled() : null) ?? refused(code),
    replayed: settled,
  });
}

const GONE = 'authorization_expired_or_voided';
const UNEXPECTED_STATE = 'payment_intent_unexpected_state';

/** The intent as it is now. Throws Inconclusive while it is processing. */
async function settledIntent(call: StripeCall, reference: string) {
  const intent = await parseResponse(() => retrieveIntent(call, reference), inconclusive);
  if (intent.status === 'processing') throw new Inconclusive('still_processing');
  return intent;
}

/** A response with another status proves nothing. */
function doneWhen(intent: Stripe.PaymentIntent, status: 'succeeded' | 'canceled') {
  if (intent.status !== status) throw new Inconclusive('intent_status_not_expected');
  return { kind: 'done', reference: referenceOf(intent) } as const;
}

function refused(code: string) {
  return { kind: 'refused', code } as const;
}

function optionsOf({ timeoutMs }: StripeCall, idempotencyKey: string) {
  return { idempotencyKey, timeout: timeoutMs };
}
