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
import { paramsOf, readPage } from './pages.ts';

/** PaymentIntents created in the window, newest first. */
export function listPayments(call: StripeCall, window: ListWindow): Promise<PaymentsPage> {
  return parseResponse<PaymentsPage>(async () => {
    const params = { ...paramsOf(window), expand: ['data.latest_charge'] };
    const page = await call.stripe.paymentIntents.list(params, { timeout: call.timeoutMs });
    const { records, next } = readPage(page);
    const payments: ProviderPayment[] = [];
    const unreadable: UnreadableRecord[] = [];
    for (const intent of records) {
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
    const { records, next } = readPage(page);
    const references: string[] = [];
    const unreadable: UnreadableRecord[] = [];
    for (const refund of records) {
      const read = readableRefund.safeParse(refund);
      if (!read.success) unreadable.push(unreadableOf(refund));
      else if (read.data.payment_intent) references.push(read.data.payment_intent);
    }
    return { kind: 'page', references, unreadable, next };
  }, inconclusive);
}

const readableRefund = z.object({
  payment_intent: z
    .union([answerId, z.object({ id: answerId }).transform(({ id }) => id)])
    .nullish(),
});

function unreadableOf({
  id: reference,
  metadata,
}: Stripe.PaymentIntent | Stripe.Refund): UnreadableRecord {
  return { subject: isForeignId(reference) ? reference : null, orderId: namedOrder(metadata) };
}
