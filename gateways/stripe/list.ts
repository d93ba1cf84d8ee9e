/** Reads Stripe's payments and refunds page by page, for reconciliation. It only reads. */
import { ProviderFault } from '../resilience/guard.ts';
import type { ListWindow, PaymentsPage, RefundsPage } from '../payments.ts';
import { parseResponse } from './client.ts';
import type { StripeCall, StripeRefusal } from './client.ts';
import { readIntent, referenceOf } from './lookup.ts';

/** Stripe's largest page. */
const PAGE_SIZE = 100;

/** PaymentIntents created in the window, newest first. */
export function listPayments(call: StripeCall, window: ListWindow): Promise<PaymentsPage> {
  return parseResponse<PaymentsPage>(async () => {
    const { data, has_more } = await call.stripe.paymentIntents.list(
      { ...paramsOf(window), expand: ['data.latest_charge'] },
      { timeout: call.timeoutMs },
    );
    const last = data.at(-1);
    return {
      kind: 'page',
      payments: data.map(readIntent),
      next: has_more && last !== undefined ? last.id : null,
    };
  }, failRefused);
}

/** The payments refunded in the window. */
export function listRefunds(call: StripeCall, window: ListWindow): Promise<RefundsPage> {
  return parseResponse<RefundsPage>(async () => {
    const { data, has_more } = await call.stripe.refunds.list(paramsOf(window), {
      timeout: call.timeoutMs,
    });
    const last = data.at(-1);
    return {
      kind: 'page',
      references: data.flatMap(({ payment_intent: intent }) =>
        intent === null ? [] : [referenceOf(typeof intent === 'string' ? { id: intent } : intent)],
      ),
      next: has_more && last !== undefined ? last.id : null,
    };
  }, failRefused);
}

function paramsOf({ from, to, after }: ListWindow) {
  const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000);
  return {
    created: { gte: seconds(from), lt: seconds(to) },
    limit: PAGE_SIZE,
    ...(after !== null && { starting_after: after }),
  };
}

/** A refusal to list says nothing about what exists. */
function failRefused({ code }: StripeRefusal): never {
  throw new ProviderFault(`list_${code}`);
}
