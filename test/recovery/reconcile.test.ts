import { randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { startRequestedReconciliation } from '../../services/start-reconciliation.ts';
import { runRecovery } from '../../services/recovery.ts';
import { createReconciliationClient } from '../../temporal/reconciliation-client.ts';
import type { OrderId } from '../../domain/ids.ts';
import { listDiscrepanciesOf } from '../../prisma/operations/discrepancies.ts';
import { newId } from '../../prisma/client/ids.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { recordResolved } from '../../prisma/payments/step-decisions.ts';
import {
  findReconciliation,
  listReconciliations,
  openReconciliation,
} from '../../prisma/operations/reconciliation-runs.ts';
import { recordRefundSucceeded } from '../../prisma/payments/refund-outcomes.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { reconcileWindow } from '../../workflows/operations/contract.ts';
import { claimOf } from '../prisma/seeded-database.ts';
import { atProvider, openCase } from '../support/cases.ts';
import { eventually } from '../support/eventually.ts';
import { eventTypesOf } from '../support/expectations.ts';
import { moveAtProvider, refundInDashboard } from '../support/provider-refunds.ts';
import { acceptRefund } from '../support/refunding.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { reconcile, retryImmediately, untilStatus, WITH_MAINTENANCE } from './operations.ts';

const shop = useRunningShop({ ...WITH_MAINTENANCE, adapt: retryImmediately });

const CLEAN = { status: 'completed', found: 0, resolved: 0 };

test('a reconciliation of matching records finds nothing and reports how much it compared', async () => {
  await Promise.all([shipped(), shipped(), shipped()]);
  expect(await reconcile(shop)).toEqual(CLEAN);
  const { runs } = await listReconciliations(shop.db, { limit: 1 });
  expect(runs[0]).toMatchObject({ status: 'completed', actor: 'schedule', scope: 'recent' });
  expect(runs[0]?.checked['payments']).toBeGreaterThanOrEqual(3);
  expect(runs[0]?.checked['orders']).toBeGreaterThanOrEqual(3);
});

test('a reconciliation left unstarted by a crash is started by the recovery and blocks no later run', async () => {
  const { kind, run } = await openReconciliation(shop.db, operatorRequest());
  expect(kind).toBe('opened');
  expect(await reconcile(shop)).toMatchObject({ status: 'skipped' });
  const reconciliationClient = createReconciliationClient({ client: () => shop.temporal.client });
  const deps = { ...shop.services, reconciliationClient };
  const now = { olderThanMs: 0, expiryGraceMs: 150_000, batch: 100 };
  expect((await runRecovery(deps, now)).started).toBe(1);
  await eventually(async () =>
    expect((await findReconciliation(shop.db, run.id))?.status).toBe('completed'),
  );
  expect((await runRecovery(deps, now)).started).toBe(0);
  expect(await reconcile(shop)).toMatchObject({ status: 'completed' });
  // Two processes may both have found it: the second start does nothing.
  expect(await startRequestedReconciliation(deps, run)).toBe(true);
});

test('a record that is not understood is a discrepancy of its order until it is, and the others are compared', async () => {
  const orderId = await shipped();
  const { payments, warehouse } = shop.gateways;
  const { providerReference } = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
  const odd = { subject: providerReference, orderId };
  const nameless = { subject: null, orderId: null };
  const listPayments = payments.listPayments.bind(payments);
  const listRecords = warehouse.listRecords.bind(warehouse);
  vi.spyOn(payments, 'listPayments').mockImplementation(async (window) => {
    const page = await listPayments(window);
    return page.kind === 'page' ? { ...page, unreadable: [odd] } : page;
  });
  vi.spyOn(warehouse, 'listRecords').mockImplementation(async (window) => {
    const page = await listRecords(window);
    return page.kind === 'page' ? { ...page, unreadable: [nameless] } : page;
  });
  try {
    expect(await reconcile(shop)).toMatchObject({ status: 'completed', found: 2 });
    const open = await openDiscrepancies();
    expect(open).toContainEqual(['not_understood', providerReference]);
    expect(open).toContainEqual(['not_understood', 'warehouse']);
    expect(await eventTypesOf(shop, orderId)).toContain('order.discrepancy_found');
  } finally {
    vi.restoreAllMocks();
  }
  expect(await reconcile(shop)).toMatchObject({ found: 0, resolved: 2 });
  expect(await openDiscrepancies()).toEqual([]);
});

test('a charge made outside the system is reported once and resolved after its cancellation', async () => {
  const charge = await authorizeAtProvider('4200');
  expect(await reconcile(shop)).toMatchObject({ found: 1, resolved: 0 });
  expect(await openDiscrepancies()).toEqual([['charge_without_order', charge.id]]);
  expect(await reconcile(shop)).toEqual(CLEAN);
  expect(await openDiscrepancies()).toHaveLength(1);
  await stripe(`payment_intents/${charge.id}/cancel`, {});
  expect(await reconcile(shop)).toMatchObject({ found: 0, resolved: 1 });
  expect(await openDiscrepancies()).toEqual([]);
});

test('a refund made in the dashboard is recorded, and found when it fails later: neither is a discrepancy', async () => {
  const orderId = await shipped();
  const { providerReference } = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
  const reference = await refundInDashboard(shop, providerReference, { amount: 500 });
  expect(await reconcile(shop)).toEqual(CLEAN);
  const of = { cause: 'provider', amountMinor: 500, providerReference: reference };
  expect(await listRefunds(shop.db, orderId)).toMatchObject([{ ...of, status: 'succeeded' }]);
  await moveAtProvider(shop, reference, 'failed');
  await backdate(orderId);
  expect(await reconcile(shop)).toEqual(CLEAN);
  expect(await listRefunds(shop.db, orderId)).toMatchObject([{ ...of, status: 'failed' }]);
  expect(await shop.db.deadLetter.count({ where: { orderId, source: 'refund' } })).toBe(1);
  const types = (await eventTypesOf(shop, orderId)).filter((type) => type.startsWith('refund'));
  expect(types).toEqual(['refund.external', 'refund.succeeded', 'refund.failed']);
});

test('a dispute whose webhooks were lost is recorded, and settled as the bank decided: neither is a discrepancy', async () => {
  const orderId = await shipped();
  // Old enough for a reconciliation to list it.
  shop.sandbox.clock.setOffset(-600_000);
  const { id } = await openCase(shop, orderId, ['disputes']);
  shop.sandbox.clock.setOffset(0);
  expect(await reconcile(shop)).toEqual(CLEAN);
  const { capturedMinor } = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
  const found = { id, kind: 'dispute', isOpen: true, amountMinor: capturedMinor };
  expect(await shop.db.paymentCase.findMany({ where: { orderId } })).toMatchObject([found]);
  await atProvider(shop, `/payments/disputes/${id}/close`, { status: 'won' });
  await backdate(orderId);
  expect(await reconcile(shop)).toEqual(CLEAN);
  const closed = { status: 'won', isOpen: false };
  expect(await shop.db.paymentCase.findMany({ where: { orderId } })).toMatchObject([closed]);
  const types = (await eventTypesOf(shop, orderId)).filter((type) => type.startsWith('payment.'));
  expect(types).toEqual(['payment.disputed', 'payment.dispute_closed']);
});

test('a refund that the provider does not have is reported and resolved once, each with an event of its order', async () => {
  const orderId = await shipped();
  const { providerReference } = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
  const refund = await acceptRefund(shop.db, orderId, 500);
  await recordRefundSucceeded(shop.db, refund, 're_unknown');
  await backdate(orderId);
  expect(await reconcile(shop)).toMatchObject({ found: 1 });
  expect(await reconcile(shop)).toEqual(CLEAN);
  const { runs } = await listReconciliations(shop.db, { limit: 2 });
  const [discrepancy] = await listDiscrepanciesOf(shop.db, runs[1]?.id ?? '', 10);
  expect(discrepancy).toMatchObject({
    kind: 'refunded_amount',
    subject: providerReference,
    orderId,
    ours: { refunded_minor: 500, captured_minor: 2400 },
    theirs: { refunded_minor: 0, captured_minor: 2400 },
    resolvedAt: null,
  });
  const form = { amount: '500', 'metadata[intent_key]': refund.key };
  await stripe('refunds', { payment_intent: providerReference ?? '', ...form });
  expect(await reconcile(shop)).toMatchObject({ found: 0, resolved: 1 });
  const types = (await eventTypesOf(shop, orderId)).filter((type) => /discrepancy/.test(type));
  expect(types).toEqual(['order.discrepancy_found', 'order.discrepancy_resolved']);
});

test('a second payment and a payment unknown to the provider are reported until they are corrected', async () => {
  const orderId = await shipped();
  const second = await authorizeAtProvider('2400', { 'metadata[order_id]': orderId });
  const other = { orderId: await shipped() };
  const { providerReference } = await shop.db.payment.findUniqueOrThrow({ where: other });
  const unknown = { providerReference: `pi_unknown${randomUUID()}` };
  await shop.db.payment.update({ where: other, data: unknown });
  await reconcile(shop);
  const kinds = (await openDiscrepancies()).map(([kind]) => kind).toSorted();
  // The real payment of the other order is not the one in our records.
  expect(kinds).toEqual(['payment_missing', 'second_payment', 'second_payment']);
  await stripe(`payment_intents/${second.id}/cancel`, {});
  await shop.db.payment.update({ where: other, data: { providerReference } });
  await reconcile(shop);
  expect(await openDiscrepancies()).toEqual([]);
});

test('a reservation the warehouse lost is reported once', async () => {
  shop.sandbox.faults.set({ provider: 'payments', operation: 'capture' }, { mode: 'fail_before' });
  const { orderId } = await shop.order();
  await untilStatus(shop, orderId, 'reserved');
  await backdate(orderId);
  await releaseAtWarehouse(orderId);
  expect(await reconcile(shop)).toMatchObject({ found: 1 });
  expect(await openDiscrepancies()).toEqual([['reservation', orderId]]);
  expect(await reconcile(shop)).toEqual(CLEAN);
});

test('a manual capture is reported as a discrepancy until it exists at the provider', async () => {
  shop.sandbox.faults.set({ provider: 'payments', operation: 'capture' }, { mode: 'fail_before' });
  const { orderId } = await shop.order();
  await untilStatus(shop, orderId, 'reserved');
  await shop.checkoutOf(orderId).terminate('terminated by a test');
  const step = 'capturePayment';
  await recordNeedsAttention(shop.db, orderId, { steps: [step], failure: 'no response' });
  const decided = { step, decision: 'skip', note: 'captured in the dashboard', actor: 'op' };
  await recordResolved(shop.db, orderId, { ...decided, resumes: 'paid' });
  await recordNeedsAttention(shop.db, orderId, { steps: ['shipOrder'], failure: 'no response' });
  await backdate(orderId);
  const before = await openDiscrepancies();
  expect(await reconcile(shop)).toMatchObject({ found: 1 });
  const { providerReference } = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
  expect(await openDiscrepancies()).toContainEqual(['payment_state', providerReference]);
  shop.sandbox.faults.clear();
  await stripe(`payment_intents/${providerReference}/capture`, {});
  expect(await reconcile(shop)).toMatchObject({ found: 0, resolved: 1 });
  expect(await openDiscrepancies()).toEqual(before);
  // The manual capture is about the payment: shipments are still compared.
  await releaseAtWarehouse(orderId);
  expect(await reconcile(shop)).toMatchObject({ found: 1 });
  expect(await openDiscrepancies()).toContainEqual(['reservation', orderId]);
});

test('a reconciliation with an unavailable warehouse neither opens nor resolves a discrepancy', async () => {
  const before = await openDiscrepancies();
  shop.sandbox.faults.set(
    { provider: 'warehouse', operation: 'lookup' },
    { mode: 'down', times: 2 },
  );
  expect(await reconcile(shop)).toMatchObject({ found: 0 });
  expect(await openDiscrepancies()).toEqual(before);
});

/** An authorization that was not made by us. */
function authorizeAtProvider(amount: string, form: Record<string, string> = {}) {
  const manual = { confirm: 'true', capture_method: 'manual', payment_method: 'pm_card_visa' };
  return stripe('payment_intents', { amount, currency: 'eur', ...manual, ...form });
}

/** The warehouse loses what it had reserved for the order. */
async function releaseAtWarehouse(orderId: OrderId): Promise<void> {
  const path = `warehouse/reservations/${encodeURIComponent(orderId)}/release`;
  const headers = { authorization: 'Bearer test' };
  await fetch(new URL(path, shop.sandbox.url), { method: 'POST', headers });
}

/** What an operator's request records first. */
function operatorRequest() {
  const by = { apiKeyId: 'key_operator', correlationId: 'test' };
  const response = () => ({ status: 202, body: '{}' });
  const { from: windowFrom, to: windowTo } = reconcileWindow('recent', Date.now());
  const id = newId('reconciliation');
  return {
    id,
    scope: 'recent' as const,
    windowFrom,
    windowTo,
    by: { ...by, claim: claimOf(), response },
  };
}

async function shipped(): Promise<OrderId> {
  const { orderId } = await shop.order();
  await untilStatus(shop, orderId, 'shipped');
  await backdate(orderId);
  return orderId;
}

/** Makes the order old enough for a reconciliation to compare it. */
async function backdate(orderId: OrderId): Promise<void> {
  const past = new Date(Date.now() - 600_000);
  await shop.db.order.update({ where: { id: orderId }, data: { createdAt: past } });
  await shop.db.payment.update({ where: { orderId }, data: { updatedAt: past } });
  await shop.db.reservation.updateMany({ where: { orderId }, data: { updatedAt: past } });
}

async function openDiscrepancies(): Promise<readonly (readonly [string, string])[]> {
  const rows = await shop.db.discrepancy.findMany({ where: { resolvedAt: null } });
  return rows.map(({ kind, subject }) => [kind, subject] as const);
}

/** A call of the shop's account at the provider, ten minutes ago, not made by us. */
async function stripe(path: string, form: Record<string, string>): Promise<{ id: string }> {
  shop.sandbox.clock.setOffset(-600_000);
  const response = await fetch(new URL(`v1/${path}`, shop.sandbox.url), {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_dashboard' },
    body: new URLSearchParams(form),
  });
  shop.sandbox.clock.setOffset(0);
  expect(response.status).toBe(200);
  const body: unknown = await response.json();
  if (typeof body !== 'object' || body === null || !('id' in body)) throw new Error('no id');
  return { id: String(body.id) };
}
