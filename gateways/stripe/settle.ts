/**
 * Capture and void. Each may be repeated any number of times, also after Stripe has deleted its key: an
 * intent already in the wanted state counts as done.
 */
import type Stripe from 'stripe';
import { Inconclusive } from '../resilience/faults.ts';
import type { CaptureOutcome, SettleRequest, VoidOutcome } from '../payments.ts';
import { inconclusive, parseResponse } from './client.ts';
import type { StripeCall, StripeRefusal } from './client.ts';
import { referenceOf, retrieveIntent, reviewOf, wasAuthorized } from './lookup.ts';
import { toStripeAmount } from './money.ts';

/** Captures. `refused: authorization_expired_or_voided` when nothing is authorized any more. */
export function capture(call: StripeCall, request: SettleRequest): Promise<CaptureOutcome> {
  const { reference, amount } = request;
  const work = async (): Promise<CaptureOutcome> => {
    const params = { amount_to_capture: toStripeAmount(amount) };
    const options = optionsOf(call, request);
    const intent = await call.stripe.paymentIntents.capture(reference, params, options);
    return { ...doneWhen(intent, 'succeeded'), review: reviewOf(intent) };
  };
  return parseResponse(work, async (refusal) => {
    if (refusal.code === 'charge_expired_for_capture') return refused(GONE);
    const intent = await intentAfter(call, refusal, reference);
    if (intent?.status === 'succeeded') {
      return { kind: 'done', reference, review: reviewOf(intent) };
    }
    return refused(intent?.status === 'canceled' ? GONE : refusal.code);
  });
}

/**
 * Voids: cancels the intent, whether it is authorized or waits for the shopper.
 * `refused: already_captured` when it was captured: then refund it.
 */
export function voidAuthorization(call: StripeCall, request: SettleRequest): Promise<VoidOutcome> {
  const { reference } = request;
  const work = async (): Promise<VoidOutcome> => {
    const params = { expand: ['latest_charge'] };
    const options = optionsOf(call, request);
    const intent = await call.stripe.paymentIntents.cancel(reference, params, options);
    return { ...doneWhen(intent, 'canceled'), wasAuthorized: wasAuthorized(intent) };
  };
  return parseResponse(work, async (refusal) => {
    const intent = await intentAfter(call, refusal, reference);
    if (intent?.status === 'canceled') {
      return { kind: 'done', reference, wasAuthorized: wasAuthorized(intent) };
    }
    return refused(intent?.status === 'succeeded' ? 'already_captured' : refusal.code);
  });
}

const GONE = 'authorization_expired_or_voided';
/**
 * The intent after a refusal, or null when the refusal was about something else. It is
 * retrieved: a repeated key gets the first refusal again, with the intent as it was then. Throws
 * Inconclusive while the intent is processing.
 */
async function intentAfter(call: StripeCall, refusal: StripeRefusal, reference: string) {
  if (refusal.code !== 'payment_intent_unexpected_state') return null;
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

function optionsOf({ timeoutMs }: StripeCall, { key }: SettleRequest) {
  return { idempotencyKey: key, timeout: timeoutMs };
}
