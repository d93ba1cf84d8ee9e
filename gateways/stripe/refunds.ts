/**
 * Refunds: made once per key for ever, read by their id, or all of one payment. A refund may be pending for
 * days and fail after it succeeded (https://docs.stripe.com/refunds), so each look-up reads it anew.
 */
import type Stripe from 'stripe';
import type { ProviderRefund, ProviderRefundStatus } from '../../domain/refund.ts';
import { Inconclusive, NotUnderstood } from '../resilience/faults.ts';
import { errorCode } from '../resilience/http.ts';
import { ProviderRejection } from '../resilience/outcome.ts';
import type { RefundLookup, RefundOutcome, RefundsOfPayment, SettleRequest } from '../payments.ts';
import { inconclusive, parseResponse } from './client.ts';
import type { StripeCall } from './client.ts';
import { withDerivedKeys } from './keys.ts';
import { currencyOf, minorOf, referenceOf } from './lookup.ts';
import { toStripeAmount } from './money.ts';
import { PAGE_SIZE, readPage } from './pages.ts';

/**
 * Refunds `amount`. The intent's key is also in the refund's metadata, and the refunds of the payment are
 * read before a new one is created: Stripe deletes keys after a day, and a refund may have been sent under
 * several keys (keys.ts).
 */
export function refund(call: StripeCall, request: SettleRequest): Promise<RefundOutcome> {
  const { reference, amount, key: intent } = request;
  const params = {
    payment_intent: reference,
    amount: toStripeAmount(amount),
    metadata: { order_id: request.orderId, intent_key: intent },
  };
  return withDerivedKeys<RefundOutcome>(call, intent, {
    send: async (key) => {
      const refunds = await readAll(call, reference);
      const earlier = refunds.find(({ metadata }) => keyIn(metadata) === intent);
      if (earlier !== undefined) return outcomeOf(earlier);
      call.signal.throwIfAborted();
      const options = { idempotencyKey: key, timeout: call.timeoutMs };
      return outcomeOf(await call.stripe.refunds.create(params, options));
    },
    refused: ({ code }) => ({ kind: 'refused', code }),
    // Each `send` looks it up.
    replayed: () => null,
  });
}

/** The refund as it is now. `absent`: unknown to Stripe, or of no payment intent. */
export function lookUpRefund(call: StripeCall, reference: string): Promise<RefundLookup> {
  const { stripe, timeoutMs } = call;
  return parseResponse<RefundLookup>(
    async () => {
      const found = await stripe.refunds.retrieve(reference, {}, { timeout: timeoutMs });
      const refund = readRefund(found);
      return refund === null ? { kind: 'absent' } : { kind: 'found', refund };
    },
    ({ code }) => {
      if (code === 'resource_missing') return { kind: 'absent' };
      throw new ProviderRejection('payments', code);
    },
  );
}

/** Every refund of the payment, newest first. */
export async function listRefundsOf(
  call: StripeCall,
  paymentReference: string,
): Promise<RefundsOfPayment> {
  const refunds = await readAll(call, paymentReference);
  return { kind: 'listed', refunds: refunds.flatMap((each) => readRefund(each) ?? []) };
}

/** More than an order ever has: the deadline ends the call before. */
const MAX_PAGES = 20;

/** Newest first. */
async function readAll({ stripe, timeoutMs }: StripeCall, paymentReference: string) {
  const refunds: Stripe.Refund[] = [];
  const params = { payment_intent: paymentReference, limit: PAGE_SIZE };
  let after = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const found = await parseResponse(
      () => stripe.refunds.list({ ...params, ...after }, { timeout: timeoutMs }),
      inconclusive,
    );
    const { records, next } = readPage(found);
    refunds.push(...records);
    if (next === null) return refunds;
    after = { starting_after: next };
  }
  throw new Inconclusive('too_many_refunds');
}

function outcomeOf(made: Stripe.Refund): RefundOutcome {
  const reference = referenceOf(made);
  const status = statusOf(made);
  switch (status) {
    case 'succeeded':
      return { kind: 'done', reference };
    case 'pending':
    case 'requires_action':
      return { kind: 'pending', reference, status };
    case 'failed':
    case 'canceled':
      return { kind: 'refused', code: failureCodeOf(made, status) };
  }
}

/** Null for a refund of no payment intent: it is none of ours. */
function readRefund(found: Stripe.Refund): ProviderRefund | null {
  const { payment_intent: intent } = found;
  if (!intent) return null;
  const status = statusOf(found);
  const currency = currencyOf(found.currency);
  const isFailed = status === 'failed' || status === 'canceled';
  return {
    reference: referenceOf(found),
    paymentReference: referenceOf(typeof intent === 'string' ? { id: intent } : intent),
    key: keyIn(found.metadata),
    amountMinor: minorOf(found.amount, currency),
    currency,
    status,
    failureCode: isFailed ? failureCodeOf(found, status) : null,
  };
}

function statusOf({ status }: Pick<Stripe.Refund, 'status'>): ProviderRefundStatus {
  switch (status) {
    case 'succeeded':
    case 'pending':
    case 'requires_action':
    case 'failed':
    case 'canceled':
      return status;
    case null:
    default:
      throw new NotUnderstood('refund_status_not_known');
  }
}

/** E.g. `expired_or_canceled_card`. */
function failureCodeOf(
  { failure_reason: reason }: Pick<Stripe.Refund, 'failure_reason'>,
  status: 'failed' | 'canceled',
): string {
  return errorCode(status === 'failed' ? 'refund_failed' : 'refund_canceled', reason);
}

function keyIn(metadata: Stripe.Refund['metadata']): string | null {
  const key: unknown = metadata?.['intent_key'];
  return typeof key === 'string' ? key : null;
}
