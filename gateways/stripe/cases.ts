/** Reads Stripe's disputes, early fraud warnings and reviews, one or page by page. It only reads. */
import type Stripe from 'stripe';
import { z } from 'zod';
import type { CaseKind } from '../../domain/payment-case.ts';
import { isForeignId } from '../../domain/text.ts';
import { NotUnderstood } from '../resilience/faults.ts';
import { answerId, errorCode } from '../resilience/http.ts';
import type { UnreadableRecord } from '../resilience/outcome.ts';
import { ProviderRejection } from '../resilience/outcome.ts';
import type { CaseLookup, CasesPage, ListWindow, ProviderCase } from '../payments.ts';
import { inconclusive, parseResponse } from './client.ts';
import type { StripeCall } from './client.ts';
import { instantOf } from './lookup.ts';
import { fromStripeAmount } from './money.ts';
import { paramsOf, readPage } from './pages.ts';

/** The case as it is now. */
export function lookUpCase(
  call: StripeCall,
  { kind, id }: { readonly kind: CaseKind; readonly id: string },
): Promise<CaseLookup> {
  return parseResponse<CaseLookup>(
    async () => ({ kind: 'found', found: readCase(kind, await retrieve(call, kind, id)) }),
    ({ code }) => {
      if (code === 'resource_missing') return { kind: 'absent' };
      throw new ProviderRejection('payments', code);
    },
  );
}

/** Cases that were opened in the window, newest first. Stripe lists only the reviews that are open. */
export function listCases(
  call: StripeCall,
  { kind, ...window }: ListWindow & { readonly kind: CaseKind },
): Promise<CasesPage> {
  return parseResponse<CasesPage>(async () => {
    const { records, next } = readPage(await list(call, kind, window));
    const cases: ProviderCase[] = [];
    const unreadable: UnreadableRecord[] = [];
    for (const record of records) {
      try {
        cases.push(readCase(kind, record));
      } catch (error) {
        if (!(error instanceof NotUnderstood)) throw error;
        const { id } = record;
        unreadable.push({ subject: isForeignId(id) ? id : null, orderId: null });
      }
    }
    return { kind: 'page', cases, unreadable, next };
  }, inconclusive);
}

type StripeCase = Stripe.Dispute | Stripe.Radar.EarlyFraudWarning | Stripe.Review;

function retrieve({ stripe, timeoutMs }: StripeCall, kind: CaseKind, id: string) {
  const options = { timeout: timeoutMs };
  switch (kind) {
    case 'dispute':
      return stripe.disputes.retrieve(id, {}, options);
    case 'fraud_warning':
      return stripe.radar.earlyFraudWarnings.retrieve(id, {}, options);
    case 'review':
      return stripe.reviews.retrieve(id, {}, options);
  }
}

interface CaseList {
  readonly data: readonly StripeCase[];
}

async function list(
  { stripe, timeoutMs }: StripeCall,
  kind: CaseKind,
  window: ListWindow,
): Promise<CaseList> {
  const options = { timeout: timeoutMs };
  const params = paramsOf(window);
  switch (kind) {
    case 'dispute':
      return stripe.disputes.list(params, options);
    case 'fraud_warning':
      return stripe.radar.earlyFraudWarnings.list(params, options);
    case 'review':
      return stripe.reviews.list(params, options);
  }
}

const payment = z
  .union([answerId, z.object({ id: answerId }).transform(({ id }) => id)])
  .nullish()
  .transform((reference) => reference ?? null);
const common = { id: answerId, payment_intent: payment, created: z.number() };
const dispute = z.object({
  ...common,
  amount: z.int().min(0),
  currency: z.string().regex(/^[a-z]{3}$/),
  reason: z.string(),
  status: z.string(),
  evidence_details: z.object({ due_by: z.number().nullish() }).nullish(),
});
const warning = z.object({ ...common, actionable: z.boolean(), fraud_type: z.string() });
const review = z.object({
  ...common,
  open: z.boolean(),
  closed_reason: z.string().nullish(),
  opened_reason: z.string(),
});

/** Throws NotUnderstood when the record has no meaning. */
function readCase(kind: CaseKind, record: unknown): ProviderCase {
  switch (kind) {
    case 'dispute':
      return readDispute(understood(dispute, record));
    case 'fraud_warning':
      return readWarning(understood(warning, record));
    case 'review':
      return readReview(understood(review, record));
  }
}

function readDispute(read: z.output<typeof dispute>): ProviderCase {
  const currency = read.currency.toUpperCase();
  const dueBy = read.evidence_details?.due_by;
  const status = errorCode('unknown', read.status);
  return {
    ...identity('dispute', read),
    status,
    isOpen: !CLOSED_DISPUTES.includes(status),
    amountMinor: fromStripeAmount(read.amount, currency),
    currency,
    reason: errorCode('general', read.reason),
    respondBy: typeof dueBy === 'number' ? instantOf(dueBy) : null,
  };
}

/** A status that is not known yet counts as open: a person looks at it. */
const CLOSED_DISPUTES: readonly string[] = ['warning_closed', 'won', 'lost', 'prevented'];

function readWarning(read: z.output<typeof warning>): ProviderCase {
  return {
    ...identity('fraud_warning', read),
    status: read.actionable ? 'actionable' : 'not_actionable',
    isOpen: read.actionable,
    reason: errorCode('misc', read.fraud_type),
  };
}

function readReview(read: z.output<typeof review>): ProviderCase {
  return {
    ...identity('review', read),
    status: read.open ? 'open' : errorCode('closed', read.closed_reason ?? undefined),
    isOpen: read.open,
    reason: errorCode('rule', read.opened_reason),
  };
}

function identity(
  kind: CaseKind,
  read: { readonly id: string; readonly payment_intent: string | null; readonly created: number },
) {
  return {
    kind,
    id: read.id,
    reference: read.payment_intent,
    openedAt: instantOf(read.created),
    amountMinor: null,
    currency: null,
    respondBy: null,
  };
}

function understood<T>(schema: z.ZodType<T>, record: unknown): T {
  const parsed = schema.safeParse(record);
  if (!parsed.success) throw new NotUnderstood('case_not_understood');
  return parsed.data;
}
