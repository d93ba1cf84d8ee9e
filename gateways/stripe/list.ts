/** Reads Stripe's payments and refunds page by page, for reconciliation. It only reads. */
import type Stripe from 'stripe';
import { z } from 'zod';
import { isForeignId } from '../../domain/text.ts';
import { NotUnderstood } from '../resilience/faults.ts';
import { answerId } from '../resilience/http.ts';
import type { UnreadableRecord } from '../resilience/outcome.ts';
import type { ListWindow, PaymentsPage, ProviderPayment, RefundsPage } from '../payments.ts';
import { inconclusive, parseResponse } from './client.ts';
import type { StripeCall } from './client.ts';
import { namedOrder, readIntent } from './lookup.ts';

/** Stripe's largest page. */
const PAGE_SIZE = 100;

/** PaymentIntents created in the window, newest first. */
export function listPayments(call: StripeCall, window: ListWindow): Promise<PaymentsPage> {
  return parseResponse<PaymentsPage>(async () => {
    const params = { ...paramsOf(window), expand: ['data.latest_charge'] };
    const page = await call.stripe.paymentIntents.list(params, { timeout: call.timeoutMs });
    const next = nextOf(page);
    const payments: ProviderPayment[] = [];
    const unreadable: UnreadableRecord[] = [];
    for (const intent of page.data) {
      try {
        payments.push(readIntent(intent));
      } catch (error) {
        if (!(error instanceof NotUnderstood)) throw error;
        unreadable.push(unreadableOf(intent));
      }
    }
    return { kind: 'page', payments, unreadable, next };
  }, inconclusive);
}

/** The payments refunded in the window. A refund of no payment intent is none of ours. */
export function listRefunds(call: StripeCall, window: ListWindow): Promise<RefundsPage> {
  return parseResponse<RefundsPage>(async () => {
    const page = await call.stripe.refunds.list(paramsOf(window), { timeout: call.timeoutMs });
    const next = nextOf(page);
    const references: string[] = [];
    const unreadable: UnreadableRecord[] = [];
    for (const refund of page.data) {
      const read = readableRefund.safeParse(refund);
      if (!read.success) unreadable.push(unreadableOf(refund));
      else if (read.data.payment_intent) references.push(read.data.payment_intent);
    }
    return { kind: 'page', references, unreadable, next };
  }, inconclusive);
}

const readablePage = z.object({
  data: z.array(z.looseObject({ id: z.unknown() })),
  has_more: z.boolean(),
});
const readableRefund = z.object({
  payment_intent: z
    .union([answerId, z.object({ id: answerId }).transform(({ id }) => id)])
    .nullish(),
});

/** Where the next page starts. Throws NotUnderstood when what the package got is no page. */
export function nextOf(page: unknown): string | null {
  const result = readablePage.safeParse(page);
  if (!result.success) throw new NotUnderstood('list_not_understood');
  const { data, has_more: hasMore } = result.data;
  const last = data.at(-1)?.id;
  if (!hasMore || data.length === 0) return null;
  if (!isForeignId(last)) throw new NotUnderstood('list_not_understood');
  return last;
}

function unreadableOf({
  id: reference,
  metadata,
}: Stripe.PaymentIntent | Stripe.Refund): UnreadableRecord {
  return { subject: isForeignId(reference) ? reference : null, orderId: namedOrder(metadata) };
}

export function paramsOf({ from, to, after }: ListWindow) {
  const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000);
  return {
    created: { gte: seconds(from), lt: seconds(to) },
    limit: PAGE_SIZE,
    ...(after !== null && { starting_after: after }),
  };
}
