/**
 * Capture, void and refund. Each may be repeated any number of times, also after Stripe has deleted
 * its key: an intent already in the wanted state counts as done.
 */
import type Stripe from 'stripe';
import { errorCode } from '../resilience/http.ts';
import { Inconclusive, NotUnderstood } from '../resilience/faults.ts';
import type { SettleOutcome, SettleRequest, VoidOutcome } from '../payments.ts';
import { inconclusive, parseResponse } from './client.ts';
import type { StripeCall, StripeRefusal } from './client.ts';
import { referenceOf, retrieveIntent, wasAuthorized } from './lookup.ts';
import { toStripeAmount } from './money.ts';

/** Captures. `refused: authorization_expired_or_voided` when nothing is authorized any more. */
export function capture(call: StripeCall, request: SettleRequest): Promise<SettleOutcome> {
  const { reference, amount } = request;
  const work = async (): Promise<SettleOutcome> => {
    const params = { amount_to_capture: toStripeAmount(amount) };
    const options = optionsOf(call, request);
    const intent = await call.stripe.paymentIntents.capture(reference, params, options);
    return doneWhen(intent, 'succeeded');
  };
  return parseResponse(work, async (refusal) => {
    if (refusal.code === 'charge_expired_for_capture') return refused(GONE);
    const intent = await intentAfter(call, refusal, reference);
    if (intent?.status === 'succeeded') return { kind: 'done', reference };
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

/**
 * Refunds `amount`, once per key for ever: the key is also in the refund's metadata, and the
 * intent's refunds are read before a new one is created.
 */
export function refund(call: StripeCall, request: SettleRequest): Promise<SettleOutcome> {
  const { reference, amount, key } = request;
  const work = async (): Promise<SettleOutcome> => {
    const earlier = await findRefund(call, request);
    if (earlier !== null) return readRefund(earlier);
    // After the deadline the outcome of a refund would be lost.
    call.signal.throwIfAborted();
    const params = {
      payment_intent: reference,
      amount: toStripeAmount(amount),
      metadata: { order_id: request.orderId, intent_key: key },
    };
    return readRefund(await call.stripe.refunds.create(params, optionsOf(call, request)));
  };
  return parseResponse<SettleOutcome>(work, ({ code }) =>
    code === 'charge_already_refunded' ? { kind: 'done', reference } : refused(code),
  );
}

const GONE = 'authorization_expired_or_voided';
/** Stripe's largest page, and more pages than an order ever has: the deadline ends the call before. */
const PAGE_SIZE = 100;
const MAX_PAGES = 20;

interface FoundRefund {
  readonly id: string;
  readonly status: string | null;
  readonly failure_reason?: string;
}

/** The refund of this key; null once all of the intent's refunds are read without finding it. */
async function findRefund({ stripe, timeoutMs }: StripeCall, request: SettleRequest) {
  const params = { payment_intent: request.reference, limit: PAGE_SIZE };
  let after = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { data, has_more } = await parseResponse(
      () => stripe.refunds.list({ ...params, ...after }, { timeout: timeoutMs }),
      inconclusive,
    );
    const found = data.find(({ metadata }) => metadata?.['intent_key'] === request.key);
    const last = data.at(-1);
    if (found !== undefined || !has_more || last === undefined) return found ?? null;
    after = { starting_after: last.id };
  }
  throw new Inconclusive('too_many_refunds');
}

function readRefund({ id, status, failure_reason: reason }: FoundRefund): SettleOutcome {
  switch (status) {
    case 'succeeded':
    case 'pending':
    case 'requires_action':
      return { kind: 'done', reference: referenceOf({ id }) };
    case 'failed':
    case 'canceled':
      return refused(errorCode('refund_failed', reason));
    case null:
    default:
      throw new NotUnderstood('refund_status_not_known');
  }
}

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
