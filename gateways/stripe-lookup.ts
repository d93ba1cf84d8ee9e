/**
 * Finds one order's PaymentIntent and reads it as a `ProviderPayment`. It only reads.
 *
 * Stripe's search lags (normally under a minute, up to an hour in an outage), its list does not
 * (https://docs.stripe.com/search#data-freshness). So by order id: the list of intents since the
 * order was made comes first, newest first, a bounded number of pages; it alone proves absence. When
 * there are more intents than that, search; what search lacks is absent only once the order is
 * older than its worst lag, and unknown before.
 */
import { TypeID } from 'typeid-js';
import type Stripe from 'stripe';
import type { OrderId } from '../domain/ids.ts';
import { ProviderFault } from './guard.ts';
import { codeOr } from './http.ts';
import type { ProviderPayment } from './payments.ts';
import type { StripeCall } from './stripe-client.ts';

/** Reads an intent with the charge that says how much was captured and refunded. */
export function retrieveIntent({ stripe, timeoutMs }: StripeCall, reference: string) {
  const expanded = { expand: ['latest_charge'] };
  return stripe.paymentIntents.retrieve(reference, expanded, { timeout: timeoutMs });
}

/** The order's intent as `retrieveIntent` reads it, or null. Throws ProviderFault when unsure. */
export async function findIntent(
  call: StripeCall,
  orderId: OrderId,
): Promise<Stripe.PaymentIntent | null> {
  const listed = await findInList(call, orderId);
  const found = listed === 'not_all_read' ? await findBySearch(call, orderId) : listed;
  return found === null ? null : retrieveIntent(call, found.id);
}

/** How long ago the order was made: its id is a UUIDv7, whose first 48 bits are the time (RFC 9562). */
export function orderAgeMs(orderId: OrderId): number {
  const bytes = TypeID.fromString(orderId).toUUIDBytes();
  const madeAtMs = bytes.subarray(0, 6).reduce((sum, byte) => sum * 256 + byte, 0);
  return Math.max(0, Date.now() - madeAtMs);
}

/** The provider's words in ours. Throws ProviderFault for a state it does not know. */
export function readIntent(intent: Stripe.PaymentIntent): ProviderPayment {
  const state = stateOf(intent.status);
  const charge = intent.latest_charge;
  const read = charge !== null && typeof charge !== 'string' ? charge : null;
  if (state === 'captured' && read === null) throw new ProviderFault('charge_not_expanded');
  return {
    reference: intent.id,
    state,
    capturedMinor: state === 'captured' ? (read?.amount_captured ?? 0) : 0,
    refundedMinor: state === 'captured' ? (read?.amount_refunded ?? 0) : 0,
    declineCode: state === 'declined' ? declineCodeOf(intent) : null,
  };
}

/** Why an intent holds no money. */
export function declineCodeOf(intent: Stripe.PaymentIntent): string {
  const error = intent.last_payment_error;
  if (error !== null) return codeOr(codeOr('card_declined', error.code), error.decline_code);
  if (intent.status === 'requires_action') return 'authentication_required';
  return intent.status === 'canceled' ? 'canceled' : 'card_declined';
}

/** Two pages and a search fit the second a shopper may wait for a look-up. */
const MAX_PAGES = 2;
const PAGE_SIZE = 100;
/** Clocks differ, and `created` is in whole seconds. */
const CLOCK_SKEW_MS = 10_000;
/** Stripe's documented worst case for search. */
const SEARCH_LAG_MS = 3_600_000;

async function findInList({ stripe, timeoutMs }: StripeCall, orderId: OrderId) {
  const gte = Math.floor((Date.now() - orderAgeMs(orderId) - CLOCK_SKEW_MS) / 1000);
  const since = { created: { gte }, limit: PAGE_SIZE };
  let after = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const params = { ...since, ...after };
    const { data, has_more } = await stripe.paymentIntents.list(params, { timeout: timeoutMs });
    const found = best(data, orderId);
    const last = data.at(-1);
    if (found !== null || !has_more || last === undefined) return found;
    after = { starting_after: last.id };
  }
  return 'not_all_read' as const;
}

async function findBySearch({ stripe, timeoutMs }: StripeCall, orderId: OrderId) {
  const params = { query: `metadata['order_id']:'${orderId}'`, limit: 10 };
  const { data } = await stripe.paymentIntents.search(params, { timeout: timeoutMs });
  const found = best(data, orderId);
  if (found === null && orderAgeMs(orderId) < SEARCH_LAG_MS) {
    throw new ProviderFault('lookup_incomplete');
  }
  return found;
}

/** Of several intents the one that matters most: money taken, then money held. */
function best(intents: readonly Stripe.PaymentIntent[], orderId: OrderId) {
  const own = intents.filter(({ metadata }) => metadata['order_id'] === orderId);
  const weight = ({ status }: Stripe.PaymentIntent) => WEIGHT.indexOf(status);
  return own.toSorted((a, b) => weight(b) - weight(a))[0] ?? null;
}

const WEIGHT: readonly string[] = ['canceled', 'processing', 'requires_capture', 'succeeded'];

function stateOf(status: Stripe.PaymentIntent['status']): ProviderPayment['state'] {
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
    case 'requires_confirmation':
    case 'requires_payment_method':
      return 'declined';
    default:
      throw new ProviderFault('intent_status_not_known');
  }
}
