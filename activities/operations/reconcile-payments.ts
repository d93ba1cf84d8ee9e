/** Compares our payments with the payment provider's records, in both directions. */
import { Context } from '@temporalio/activity';
import type { OrderId } from '../../domain/ids.ts';
import {
  comparePayment,
  type Discrepancy,
  type DiscrepancyKind,
} from '../../domain/reconciliation.ts';
import type { PaymentGateway, PaymentsPage, ProviderPayment } from '../../gateways/payments.ts';
import {
  findPaymentRecords,
  listPaymentRecords,
  type PaymentRecord,
} from '../../prisma/operations/reconciliation-records.ts';
import { recordDiscrepancy } from '../../prisma/operations/discrepancies.ts';
import { eachItem } from '../../telemetry/items.ts';
import { providerFailure } from '../failures.ts';
import { itemLoop } from '../items.ts';
import { syncRefunds } from '../provider-refunds.ts';
import type { ReconcileSlice } from '../../workflows/activities.ts';
import type { MaintenanceDependencies } from './dependencies.ts';
import { reconcileCases } from './reconcile-cases.ts';
import { recordEachNotUnderstood, recordNotUnderstood } from './not-understood.ts';

/** The clocks differ, and the provider creates a payment a little after we create its order. */
export const SKEW_MS = 10 * 60_000;
const PAGE = 100;
const LOOK_UP_CONCURRENCY = 5;
/** Ends the comparison with a provider that lists its pages in a circle. */
const MAX_PAGES = 5_000;
const UNREADABLE = { provider: 'payments', reason: 'record_not_understood' } as const;

interface PaymentCounts {
  readonly payments: number;
  readonly refunds: number;
  readonly cases: number;
  readonly failed: number;
}

export async function reconcilePayments(
  deps: MaintenanceDependencies,
  slice: ReconcileSlice,
): Promise<PaymentCounts> {
  const seen = new Set<string>();
  let failed = 0;
  for await (const { payments, unreadable } of pagesOf(deps.payments, slice)) {
    for (const { reference } of payments) seen.add(reference);
    failed += await compareListed(deps, slice, payments);
    failed += await recordEachNotUnderstood(deps.db, slice.id, {
      ...UNREADABLE,
      records: unreadable,
    });
    for (const { subject } of unreadable) if (subject !== null) seen.add(subject);
  }
  const { refunded, failed: notRead } = await listRefunded(deps, slice, seen);
  failed += notRead;
  failed += await lookUpEach(deps, slice, refunded);
  for (const reference of refunded) seen.add(reference);
  for await (const ours of ourPagesOf(deps, slice)) {
    const unseen = ours.flatMap(({ reference }) =>
      reference === null || seen.has(reference) ? [] : [reference],
    );
    failed += await lookUpEach(deps, slice, unseen);
  }
  const cases = await reconcileCases(deps, slice);
  failed += cases.failed;
  return { payments: seen.size, refunds: refunded.length, cases: cases.followed, failed };
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
  const discrepancy = await compare(deps, ours, theirs);
  if (discrepancy === null) return 'none';
  await recordDiscrepancy(deps.db, runId, { ...discrepancy, orderId: ours?.orderId ?? null });
  return discrepancy.kind;
}

/**
 * The refunds that explain another sum are recorded: they were made at the provider, or failed after they
 * had succeeded. Only what they do not explain is a discrepancy.
 */
async function compare(
  deps: MaintenanceDependencies,
  ours: PaymentRecord | null,
  theirs: ProviderPayment | null,
): Promise<Discrepancy | null> {
  const found = comparePayment(ours, theirs);
  if (found?.kind !== 'refunded_amount') return found;
  await syncRefunds(deps, found.subject);
  const named = { references: [found.subject], orderIds: [] };
  const [now] = await findPaymentRecords(deps.db, named);
  return comparePayment(now === undefined ? ours : { ...now, inFlight: false }, theirs);
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
): Promise<{ readonly refunded: readonly string[]; readonly failed: number }> {
  const references = new Set<string>();
  let failed = 0;
  let after: string | null = null;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const listed = await payments.listRefunds({ ...withSkew(slice), after });
    if (listed.kind !== 'page') throw providerFailure('list refunds', listed);
    Context.current().heartbeat();
    for (const reference of listed.references) {
      if (!seen.has(reference)) references.add(reference);
    }
    const unreadable = { ...UNREADABLE, records: listed.unreadable };
    failed += await recordEachNotUnderstood(db, slice.id, unreadable);
    if (listed.next === null) break;
    after = listed.next;
  }
  return { refunded: [...references], failed };
}

/** Returns how many could not be compared. */
async function compareListed(
  deps: MaintenanceDependencies,
  slice: ReconcileSlice,
  payments: readonly ProviderPayment[],
): Promise<number> {
  const { db } = deps;
  const recorded = await findPaymentRecords(db, {
    references: payments.map(({ reference }) => reference),
    orderIds: payments.flatMap(({ orderId }) => (orderId === null ? [] : [orderId])),
  });
  const loop = itemLoop('reconcile_payments', ({ reference }: ProviderPayment) => reference);
  const failed = await eachItem(payments, loop, async (theirs) => {
    const ours =
      recorded.find(({ reference }) => reference === theirs.reference) ??
      recorded.find(({ orderId }) => orderId === theirs.orderId) ??
      null;
    // A new payment may belong to an order that is being placed right now.
    if (ours === null && Date.parse(theirs.createdAt) > Date.parse(slice.to)) return;
    const discrepancy = await compare(deps, ours, theirs);
    if (discrepancy === null) return;
    await recordDiscrepancy(db, slice.id, { ...discrepancy, orderId: ours?.orderId ?? null });
  });
  return failed.length;
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

/** Returns how many could not be compared. */
async function lookUpEach(
  deps: MaintenanceDependencies,
  { id }: ReconcileSlice,
  references: readonly string[],
): Promise<number> {
  const loop = itemLoop(
    'reconcile_payments',
    (reference: string) => reference,
    LOOK_UP_CONCURRENCY,
  );
  const failed = await eachItem(references, loop, (reference) =>
    comparePaymentNow(deps, id, reference),
  );
  return failed.length;
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
