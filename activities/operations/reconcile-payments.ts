/** Compares our payments with the payment provider's records, in both directions. */
import { Context } from '@temporalio/activity';
import type { OrderId } from '../../domain/ids.ts';
import { comparePayment, type DiscrepancyKind } from '../../domain/reconciliation.ts';
import type { PaymentGateway, PaymentsPage, ProviderPayment } from '../../gateways/payments.ts';
import {
  findPaymentRecords,
  listPaymentRecords,
  type PaymentRecord,
} from '../../prisma/operations/reconciliation-records.ts';
import { recordDiscrepancy } from '../../prisma/operations/discrepancies.ts';
import { providerFailure } from '../failures.ts';
import type { ReconcileSlice } from '../../workflows/activities.ts';
import type { MaintenanceDependencies } from './dependencies.ts';
import { recordNotUnderstood } from './not-understood.ts';

/** The clocks differ, and the provider creates a payment a little after we create its order. */
export const SKEW_MS = 10 * 60_000;
const PAGE = 100;
const LOOK_UP_CONCURRENCY = 5;
/** Ends the comparison with a provider that lists its pages in a circle. */
const MAX_PAGES = 5_000;
const UNREADABLE = { provider: 'payments', reason: 'record_not_understood' } as const;

export async function reconcilePayments(
  deps: MaintenanceDependencies,
  slice: ReconcileSlice,
): Promise<{ readonly payments: number; readonly refunds: number }> {
  const seen = new Set<string>();
  for await (const { payments, unreadable } of pagesOf(deps.payments, slice)) {
    for (const { reference } of payments) seen.add(reference);
    await compareListed(deps, slice, payments);
    for (const record of unreadable) {
      await recordNotUnderstood(deps.db, slice.id, { ...record, ...UNREADABLE });
      if (record.subject !== null) seen.add(record.subject);
    }
  }
  const refunded = await listRefunded(deps, slice, seen);
  await lookUpEach(deps, slice, refunded);
  for (const reference of refunded) seen.add(reference);
  for await (const ours of ourPagesOf(deps, slice)) {
    const unseen = ours.flatMap(({ reference }) =>
      reference === null || seen.has(reference) ? [] : [reference],
    );
    await lookUpEach(deps, slice, unseen);
  }
  return { payments: seen.size, refunds: refunded.length };
}

/** Compares the current records of one payment. Returns the kind of the discrepancy. */
export async function comparePaymentNow(
  deps: MaintenanceDependencies,
  runId: string,
  reference: string,
): Promise<DiscrepancyKind | 'none' | 'in_flight'> {
  const theirs = await lookUp(deps.payments, reference);
  if (theirs === 'not_understood') {
    const [ours] = await findPaymentRecords(deps.db, { references: [reference], orderIds: [] });
    const record = { subject: reference, orderId: ours?.orderId ?? null };
    await recordNotUnderstood(deps.db, runId, { ...record, ...UNREADABLE });
    return theirs;
  }
  const named = theirs?.orderId ?? null;
  const orderIds = named === null ? [] : [named];
  const recorded = await findPaymentRecords(deps.db, { references: [reference], orderIds });
  const ours = recorded.find((each) => each.reference === reference) ?? recorded[0] ?? null;
  if (ours?.inFlight) return 'in_flight';
  const discrepancy = comparePayment(ours, theirs);
  if (discrepancy === null) return 'none';
  await recordDiscrepancy(deps.db, runId, { ...discrepancy, orderId: ours?.orderId ?? null });
  return discrepancy.kind;
}

type Page = Extract<PaymentsPage, { kind: 'page' }>;

async function* pagesOf(payments: PaymentGateway, slice: ReconcileSlice): AsyncGenerator<Page> {
  let after: string | null = null;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const listed = await payments.listPayments({ ...withSkew(slice), after });
    if (listed.kind !== 'page') throw providerFailure('list payments', listed);
    Context.current().heartbeat();
    yield listed;
    if (listed.next === null) return;
    after = listed.next;
  }
  throw new Error('the payment provider lists more pages than there can be');
}

/** Payments that the listing did not have and that were refunded in the window. */
async function listRefunded(
  { db, payments }: MaintenanceDependencies,
  slice: ReconcileSlice,
  seen: ReadonlySet<string>,
): Promise<readonly string[]> {
  const references = new Set<string>();
  let after: string | null = null;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const listed = await payments.listRefunds({ ...withSkew(slice), after });
    if (listed.kind !== 'page') throw providerFailure('list refunds', listed);
    Context.current().heartbeat();
    for (const reference of listed.references) {
      if (!seen.has(reference)) references.add(reference);
    }
    for (const record of listed.unreadable) {
      await recordNotUnderstood(db, slice.id, { ...record, ...UNREADABLE });
    }
    if (listed.next === null) break;
    after = listed.next;
  }
  return [...references];
}

async function compareListed(
  { db }: MaintenanceDependencies,
  slice: ReconcileSlice,
  payments: readonly ProviderPayment[],
): Promise<void> {
  const recorded = await findPaymentRecords(db, {
    references: payments.map(({ reference }) => reference),
    orderIds: payments.flatMap(({ orderId }) => (orderId === null ? [] : [orderId])),
  });
  for (const theirs of payments) {
    const ours =
      recorded.find(({ reference }) => reference === theirs.reference) ??
      recorded.find(({ orderId }) => orderId === theirs.orderId) ??
      null;
    // A new payment may belong to an order that is being placed right now.
    if (ours === null && Date.parse(theirs.createdAt) > Date.parse(slice.to)) continue;
    const discrepancy = comparePayment(ours, theirs);
    if (discrepancy === null) continue;
    await recordDiscrepancy(db, slice.id, { ...discrepancy, orderId: ours?.orderId ?? null });
  }
}

async function* ourPagesOf(
  { db }: MaintenanceDependencies,
  { from, to }: ReconcileSlice,
): AsyncGenerator<readonly PaymentRecord[]> {
  let after: OrderId | null = null;
  for (;;) {
    const page: readonly PaymentRecord[] = await listPaymentRecords(db, {
      from,
      to,
      after,
      limit: PAGE,
    });
    Context.current().heartbeat();
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.orderId;
  }
}

async function lookUpEach(
  deps: MaintenanceDependencies,
  { id }: ReconcileSlice,
  references: readonly string[],
): Promise<void> {
  for (let at = 0; at < references.length; at += LOOK_UP_CONCURRENCY) {
    const group = references.slice(at, at + LOOK_UP_CONCURRENCY);
    await Promise.all(group.map((reference) => comparePaymentNow(deps, id, reference)));
    Context.current().heartbeat();
  }
}

async function lookUp(
  payments: PaymentGateway,
  reference: string,
): Promise<ProviderPayment | 'not_understood' | null> {
  // By its reference alone: the order is not known yet.
  const found = await payments.lookUpReference(reference);
  if (found.kind === 'unknown' && found.notUnderstood) return 'not_understood';
  if (found.kind === 'found') return found.payment;
  if (found.kind === 'absent') return null;
  throw providerFailure('payment look-up', found);
}

function withSkew({ from, to }: ReconcileSlice) {
  const moved = (time: string, ms: number): string => new Date(Date.parse(time) + ms).toISOString();
  return { from: moved(from, -SKEW_MS), to: moved(to, SKEW_MS) };
}
