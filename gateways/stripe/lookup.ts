/**
 * Finds one order's PaymentIntent and reads it as a `ProviderPayment`. It only reads.
 *
 * Absence needs evidence. Stripe's search lags, normally under a minute
 * (https://docs.stripe.com/search#data-freshness); its list does not lag, but cannot filter by
 * metadata. So a list of all intents since the order was created proves absence, if it can be read to
 * its end; search alone is trusted once the order is several times older than the lag. In between
 * the outcome is `unsure`.
 */
import { TypeID } from 'typeid-js';
import type Stripe from 'stripe';
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import { isForeignId } from '../../domain/text.ts';
import { NotUnderstood } from '../resilience/faults.ts';
import { answerId, errorCode } from '../resilience/http.ts';
import type { PaymentAction, ProviderPayment } from '../payments.ts';
import type { StripeCall } from './client.ts';
import { fromStripeAmount } from './money.ts';
import { PAGE_SIZE, readPage } from './pages.ts';

/** Reads an intent with the charge that says how much was captured and refunded. */
export function retrieveIntent({ stripe, timeoutMs }: StripeCall, reference: string) {
  const expanded = { expand: ['latest_charge'] };
  return stripe.paymentIntents.retrieve(reference, expanded, { timeout: timeoutMs });
}

export type FindOutcome =
  | { readonly kind: 'found'; readonly intent: Stripe.PaymentIntent }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unsure' };

/** The order's intent, as `retrieveIntent` reads it. `unsure`: retry in a minute. */
export async function findIntent(call: StripeCall, orderId: OrderId): Promise<FindOutcome> {
  const ageMs = orderAgeMs(orderId);
  // Search is one call and finds all but the newest orders.
  const known = ageMs < SEARCH_LAG_MS ? null : await findBySearch(call, orderId);
  const found = known ?? (await findInList(call, orderId));
  if (found === null) return { kind: 'absent' };
  if (found !== 'not_all_read') return retrieved(call, found.id);
  if (ageMs >= SEARCH_TRUSTED_MS) return { kind: 'absent' };
  const late = ageMs < SEARCH_LAG_MS ? await findBySearch(call, orderId) : null;
  return late === null ? { kind: 'unsure' } : retrieved(call, late.id);
}

/** The order's age: its id is a UUIDv7, whose first 48 bits are the creation time (RFC 9562). */
export function orderAgeMs(orderId: OrderId): number {
  const bytes = TypeID.fromString(orderId).toUUIDBytes();
  const createdAtMs = bytes.subarray(0, 6).reduce((sum, byte) => sum * 256 + byte, 0);
  return Math.max(0, Date.now() - createdAtMs);
}

/** Stripe's intent in our terms. Throws NotUnderstood when it has a state or a value of no meaning. */
export function readIntent(intent: Stripe.PaymentIntent): ProviderPayment {
  const state = stateOf(intent);
  const charge = intent.latest_charge;
  const taken = state === 'captured' && typeof charge !== 'string' ? charge : null;
  if (state === 'captured' && !taken) throw new NotUnderstood('charge_not_expanded');
  const currency = currencyOf(intent.currency);
  const minor = (amount: number) => minorOf(amount, currency);
  return {
    reference: referenceOf(intent),
    orderId: namedOrder(intent.metadata),
    amountMinor: minor(intent.amount),
    currency,
    createdAt: instantOf(intent.created),
    state,
    action: state === 'action_required' ? actionOf(intent) : null,
    capturedMinor: minor(taken?.amount_captured ?? 0),
    refundedMinor: minor(taken?.amount_refunded ?? 0),
    declineCode: state === 'declined' ? declineCodeOf(intent) : null,
    captureBefore: captureBeforeOf(intent),
    review: reviewOf(intent),
  };
}

/** What the shopper's browser needs to confirm the payment. Throws NotUnderstood when it is missing. */
export function actionOf({ client_secret, next_action }: Stripe.PaymentIntent): PaymentAction {
  const read = readableAction.safeParse({ clientSecret: client_secret, nextAction: next_action });
  if (!read.success) throw new NotUnderstood('next_action_not_understood');
  return read.data;
}

const readableAction = z.object({
  clientSecret: z.string().min(1),
  nextAction: z.record(z.string(), z.unknown()),
});

/** True when the bank had blocked the money, though it may have been released since. */
export function wasAuthorized({ latest_charge: charge }: Stripe.PaymentIntent): boolean {
  return typeof charge === 'object' && charge !== null && charge.status === 'succeeded';
}

/** ISO 4217. Throws NotUnderstood when it has not that form. */
export function currencyOf(code: string): string {
  return requireMeaning(isCurrencyCode, code).toUpperCase();
}

/** ISO 4217 minor units. Throws NotUnderstood when the amount is no whole number. */
export function minorOf(amount: number, currency: string): number {
  return fromStripeAmount(requireMeaning(Number.isSafeInteger, amount), currency);
}

/** The end of the authorization, if the charge is expanded and contains it (ISO 8601). */
export function captureBeforeOf(intent: Stripe.PaymentIntent): string | null {
  const charge = intent.latest_charge;
  if (intent.status !== 'requires_capture' || !charge || typeof charge === 'string') return null;
  const seconds = charge.payment_method_details?.card?.capture_before;
  return seconds === undefined ? null : instantOf(seconds);
}

/** The order that a record names, ours or not; null when it names none. */
export function namedOrder(metadata: unknown): string | null {
  return z.object({ order_id: answerId }).safeParse(metadata).data?.order_id ?? null;
}

/** The id of the intent's review, open or not. Throws NotUnderstood when it is none. */
export function reviewOf({ review }: Pick<Stripe.PaymentIntent, 'review'>): string | null {
  if (!review) return null;
  return referenceOf(typeof review === 'string' ? { id: review } : review);
}

/** The id of an intent or a refund. Throws NotUnderstood when it is none. */
export function referenceOf({ id }: { readonly id: string }): string {
  return requireMeaning(isForeignId, id);
}

/** The package's types are a promise of the documentation, not a check. */
function requireMeaning<T>(has: (value: T) => boolean, value: T): T {
  if (!has(value)) throw new NotUnderstood('answer_not_understood');
  return value;
}

function isCurrencyCode(text: string): boolean {
  return /^[a-z]{3}$/.test(text);
}

/** Of a Unix time in seconds. Beyond the year 9999 it is none that PostgreSQL would keep for us. */
export function instantOf(seconds: number): string {
  return new Date(requireMeaning(isUnixTime, seconds) * 1000).toISOString();
}

function isUnixTime(seconds: number): boolean {
  return Number.isInteger(seconds) && seconds >= 0 && seconds < END_OF_9999;
}

const END_OF_9999 = Date.UTC(10_000, 0) / 1000;

/** Why an intent has no authorization. */
export function declineCodeOf(intent: Stripe.PaymentIntent): string {
  const error = intent.last_payment_error;
  if (error) return errorCode(errorCode('card_declined', error.code), error.decline_code);
  return intent.status === 'canceled' ? 'canceled' : 'card_declined';
}

/** 4,000 intents. Against Stripe itself the time limit ends the reading much sooner. */
const MAX_PAGES = 40;
/** Clocks differ, and `created` is in whole seconds. */
const CLOCK_SKEW_MS = 10_000;
const SEARCH_LAG_MS = 60_000;
/** Trusted too early, search leaves an authorization that expires, never a charge. */
const SEARCH_TRUSTED_MS = 5 * SEARCH_LAG_MS;

async function retrieved(call: StripeCall, id: string): Promise<FindOutcome> {
  return { kind: 'found', intent: await retrieveIntent(call, id) };
}

/** Newest first, for half of the time limit: a search or a retrieve may have to follow. */
async function findInList({ stripe, timeoutMs }: StripeCall, orderId: OrderId) {
  const startedAtMs = performance.now();
  const gte = Math.floor((Date.now() - orderAgeMs(orderId) - CLOCK_SKEW_MS) / 1000);
  const since = { created: { gte }, limit: PAGE_SIZE };
  let after = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    if (performance.now() - startedAtMs > timeoutMs / 2) break;
    const params = { ...since, ...after };
    const options = { timeout: timeoutMs };
    const { records, next } = readPage(await stripe.paymentIntents.list(params, options));
    const found = best(records, orderId);
    if (found !== null || next === null) return found;
    after = { starting_after: next };
  }
  return 'not_all_read' as const;
}

async function findBySearch({ stripe, timeoutMs }: StripeCall, orderId: OrderId) {
  const params = { query: `metadata['order_id']:'${orderId}'`, limit: 10 };
  const page = await stripe.paymentIntents.search(params, { timeout: timeoutMs });
  return best(readPage(page).records, orderId);
}

/** Of several intents the most important: captured, then authorized. */
function best(intents: readonly Stripe.PaymentIntent[], orderId: OrderId) {
  const own = intents.filter(({ metadata }) => namedOrder(metadata) === orderId);
  const weight = ({ status }: Stripe.PaymentIntent) => WEIGHT.indexOf(status);
  return own.toSorted((a, b) => weight(b) - weight(a))[0] ?? null;
}

const WEIGHT: readonly string[] = [
  'canceled',
  'requires_action',
  'processing',
  'requires_capture',
  'succeeded',
];

/**
 * Stripe's status in our terms. Only an error says that a payment was declined: one that was not judged yet
 * has the same statuses, and may still be authorized.
 */
export function stateOf({
  status,
  last_payment_error: error,
}: Stripe.PaymentIntent): ProviderPayment['state'] {
  switch (status) {
    case 'requires_capture':
      return 'authorized';
    case 'succeeded':
      return 'captured';
    case 'canceled':
      return 'voided';
    case 'processing':
      return 'processing';
    case 'requires_action':
      return 'action_required';
    case 'requires_confirmation':
    case 'requires_payment_method':
      return error ? 'declined' : 'processing';
    default:
      throw new NotUnderstood('intent_status_not_known');
  }
}
