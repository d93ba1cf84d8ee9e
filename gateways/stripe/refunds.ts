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
import { currencyOf, minorOf, referenceOf } from './lookup.ts';
import { toStripeAmount } from './money.ts';

/**
 * Refunds `amount`. The key is also in the refund's metadata, and the intent's refunds are read before a
 * new one is created, because Stripe deletes keys after a day.
 */
export function refund(call: StripeCall, request: SettleRequest): Promise<RefundOutcome> {
  const { reference, amount, key } = request;
  const work = async (): Promise<RefundOutcome> => {
    const refunds = await readAll(call, reference);
    const earlier = refunds.find(({ metadata }) => keyIn(metadata) === key);
    if (earlier !== undefined) return outcomeOf(earlier);
    // After the deadline the outcome of a refund would be lost.
    call.signal.throwIfAborted();
    const params = {
      payment_intent: reference,
      amount: toStripeAmount(amount),
      metadata: { order_id: request.orderId, intent_key: key },
    };
    const options = { idempotencyKey: key, timeout: call.timeoutMs };
    return outcomeOf(await call.stripe.refunds.create(params, options));
  };
  return parseResponse<RefundOutcome>(work, ({ code }) => ({ kind: 'refused', code }));
}

/** The refund as it is now. `absent`: unknown to Stripe, or of no payment intent. */
export function lookUpRefund(
  { stripe, timeoutMs }: StripeCall,
  reference: string,
): Promise<RefundLookup> {
  return parseResponse<RefundLookup>(
    async () => {
      const found = readRefund(
        await stripe.refunds.retrieve(reference, {}, { timeout: timeoutMs }),
      );
      return found === null ? { kind: 'absent' } : { kind: 'found', refund: found };
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

/** Stripe's largest page, and more pages than an order ever has: the deadline ends the call before. */
const PAGE_SIZE = 100;
const MAX_PAGES = 20;

async function readAll({ stripe, timeoutMs }: StripeCall, paymentReference: string) {
  const refunds: Stripe.Refund[] = [];
  const params = { payment_intent: paymentReference, limit: PAGE_SIZE };
  let after = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { data, has_more: hasMore } = await parseResponse(
      () => stripe.refunds.list({ ...params, ...after }, { timeout: timeoutMs }),
      inconclusive,
    );
    refunds.push(...data);
    const last = data.at(-1);
    if (!hasMore || last === undefined) return refunds;
    after = { starting_after: last.id };
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
