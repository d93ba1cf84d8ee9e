import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startOpened } from '../../api/reconciliations.ts';
import { runRecovery } from '../../api/recovery.ts';
import { createTemporalUpkeep } from '../../api/upkeep.ts';
import { checkoutWorkflowId, type OrderId } from '../../domain/ids.ts';
import { listDifferencesOf } from '../../prisma/differences.ts';
import { newId } from '../../prisma/new-id.ts';
import { recordNeedsAttention, recordResolved } from '../../prisma/parking.ts';
import {
  findReconciliation,
  listReconciliations,
  openReconciliation,
} from '../../prisma/reconciliation.ts';
import { reconcileWindow } from '../../workflows/upkeep-contract.ts';
import { claimOf } from '../prisma/shop.ts';
import { eventually } from '../support/eventually.ts';
import { eventTypesOf } from '../support/expectations.ts';
import { openRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.sandbox.faults.clear());
afterAll(() => rig?.close());

const CLEAN = { status: 'completed', found: 0, resolved: 0 };

test('a reconciliation of matching records finds nothing and reports how much it compared', async () => {
  await Promise.all([shipped(), shipped(), shipped()]);
  expect(await rig.reconcile()).toEqual(CLEAN);
  const { runs } = await listReconciliations(rig.db, { limit: 1 });
  expect(runs[0]).toMatchObject({ status: 'completed', actor: 'schedule', scope: 'recent' });
  expect(runs[0]?.checked['payments']).toBeGreaterThanOrEqual(3);
  expect(runs[0]?.checked['orders']).toBeGreaterThanOrEqual(3);
});

test('a reconciliation left unstarted by a crash is started by the recovery and blocks no later run', async () => {
  const { kind, run } = await openReconciliation(rig.db, asked());
  expect(kind).toBe('opened');
  expect(await rig.reconcile()).toMatchObject({ status: 'skipped' });
  const temporal = { ...rig, upkeep: createTemporalUpkeep({ client: () => rig.client }) };
  const deps = { ...temporal, payments: rig.gateways.payments, log: pino({ level: 'silent' }) };
  const now = { olderThanMs: 0, expiryGraceMs: 150_000, batch: 100 };
  expect((await runRecovery(deps, now)).started).toBe(1);
  await eventually(
    async () => expect((await findReconciliation(rig.db, run.id))?.status).toBe('completed'),
    { timeoutMs: 60_000, everyMs: 200 },
  );
  expect((await runRecovery(deps, now)).started).toBe(0);
  expect(await rig.reconcile()).toMatchObject({ status: 'completed' });
  // Two processes may both have seen it: the second start is none.
  expect(await startOpened(deps, run)).toBe(true);
});

test('a charge made outside the system is reported once and resolved after its cancellation', async () => {
  const charge = await stripe('payment_intents', {
    amount: '4200',
    currency: 'eur',
    payment_method: 'pm_card_visa',
    confirm: 'true',
    capture_method: 'manual',
  });
  expect(await rig.reconcile()).toMatchObject({ found: 1, resolved: 0 });
  expect(await openDifferences()).toEqual([['charge_without_order', charge.id]]);
  expect(await rig.reconcile()).toEqual(CLEAN);
  expect(await openDifferences()).toHaveLength(1);
  await stripe(`payment_intents/${charge.id}/cancel`, {});
  expect(await rig.reconcile()).toMatchObject({ found: 0, resolved: 1 });
  expect(await openDifferences()).toEqual([]);
});

test('a refund made outside the system is reported and resolved once, each with an event of its order', async () => {
  const orderId = await shipped();
  const { providerReference } = await rig.db.payment.findUniqueOrThrow({ where: { orderId } });
  await stripe('refunds', { payment_intent: providerReference ?? '', amount: '500' });
  expect(await rig.reconcile()).toMatchObject({ found: 1 });
  expect(await rig.reconcile()).toEqual(CLEAN);
  const { runs } = await listReconciliations(rig.db, { limit: 2 });
  const [difference] = await listDifferencesOf(rig.db, runs[1]?.id ?? '', 10);
  expect(difference).toMatchObject({
    kind: 'refunded_amount',
    subject: providerReference,
    orderId,
    ours: { refunded_minor: 0, captured_minor: 2400 },
    theirs: { refunded_minor: 500, captured_minor: 2400 },
    resolvedAt: null,
  });
  await rig.db.payment.update({
    where: { orderId },
    data: { status: 'partially_refunded', refundedMinor: 500 },
  });
  expect(await rig.reconcile()).toMatchObject({ found: 0, resolved: 1 });
  const types = (await eventTypesOf(rig, orderId)).filter((type) => /difference/.test(type));
  expect(types).toEqual(['order.difference_found', 'order.difference_resolved']);
});

test('a second payment and a payment unknown to the provider are reported until they are corrected', async () => {
  const orderId = await shipped();
  const second = await stripe('payment_intents', {
    amount: '2400',
    currency: 'eur',
    payment_method: 'pm_card_visa',
    confirm: 'true',
    capture_method: 'manual',
    'metadata[order_id]': orderId,
  });
  const other = { orderId: await shipped() };
  const { providerReference } = await rig.db.payment.findUniqueOrThrow({ where: other });
  const unknown = { providerReference: `pi_unknown${randomUUID()}` };
  await rig.db.payment.update({ where: other, data: unknown });
  await rig.reconcile();
  const kinds = (await openDifferences()).map(([kind]) => kind).toSorted();
  // The real payment of the other order is not the one our books name.
  expect(kinds).toEqual(['payment_missing', 'second_payment', 'second_payment']);
  await stripe(`payment_intents/${second.id}/cancel`, {});
  await rig.db.payment.update({ where: other, data: { providerReference } });
  await rig.reconcile();
  expect(await openDifferences()).toEqual([]);
});

test('a reservation the warehouse lost is reported once', async () => {
  rig.sandbox.faults.set({ provider: 'payments', operation: 'capture' }, { mode: 'fail_before' });
  const { orderId } = await rig.start();
  await rig.until(orderId, 'reserved');
  await settle(orderId);
  await releaseThere(orderId);
  expect(await rig.reconcile()).toMatchObject({ found: 1 });
  expect(await openDifferences()).toEqual([['reservation', orderId]]);
  expect(await rig.reconcile()).toEqual(CLEAN);
});

test('a manual capture is reported as a discrepancy until it exists at the provider', async () => {
  rig.sandbox.faults.set({ provider: 'payments', operation: 'capture' }, { mode: 'fail_before' });
  const { orderId } = await rig.start();
  await rig.until(orderId, 'reserved');
  await rig.client.workflow.getHandle(checkoutWorkflowId(orderId)).terminate('by hand');
  const step = 'capturePayment';
  await recordNeedsAttention(rig.db, orderId, { steps: [step], failure: 'no answer' });
  const decided = { step, decision: 'skip', note: 'captured in the dashboard', actor: 'op' };
  await recordResolved(rig.db, orderId, { ...decided, resumes: 'paid' });
  await recordNeedsAttention(rig.db, orderId, { steps: ['shipOrder'], failure: 'no answer' });
  await settle(orderId);
  const before = await openDifferences();
  expect(await rig.reconcile()).toMatchObject({ found: 1 });
  const { providerReference } = await rig.db.payment.findUniqueOrThrow({ where: { orderId } });
  expect(await openDifferences()).toContainEqual(['payment_state', providerReference]);
  rig.sandbox.faults.clear();
  await stripe(`payment_intents/${providerReference}/capture`, {});
  expect(await rig.reconcile()).toMatchObject({ found: 0, resolved: 1 });
  expect(await openDifferences()).toEqual(before);
  // It was about the money: the goods are compared as ever.
  await releaseThere(orderId);
  expect(await rig.reconcile()).toMatchObject({ found: 1 });
  expect(await openDifferences()).toContainEqual(['reservation', orderId]);
});

test('a reconciliation with an unavailable warehouse neither opens nor resolves a discrepancy', async () => {
  const before = await openDifferences();
  rig.sandbox.faults.set(
    { provider: 'warehouse', operation: 'lookup' },
    { mode: 'down', times: 2 },
  );
  expect(await rig.reconcile()).toMatchObject({ found: 0 });
  expect(await openDifferences()).toEqual(before);
});

/** The warehouse loses what it had reserved for the order. */
async function releaseThere(orderId: OrderId): Promise<void> {
  const path = `warehouse/reservations/${encodeURIComponent(orderId)}/release`;
  const headers = { authorization: 'Bearer somebody' };
  await fetch(new URL(path, rig.sandbox.url), { method: 'POST', headers });
}

/** What an operator's request writes down first. */
function asked() {
  const by = { apiKeyId: 'key_operator', correlationId: 'asked' };
  const answer = () => ({ status: 202, body: '{}' });
  const { from: windowFrom, to: windowTo } = reconcileWindow('recent', Date.now());
  const id = newId('reconciliation');
  return {
    id,
    scope: 'recent' as const,
    windowFrom,
    windowTo,
    by: { ...by, claim: claimOf(), answer },
  };
}

async function shipped(): Promise<OrderId> {
  const { orderId } = await rig.start();
  await rig.until(orderId, 'shipped');
  await settle(orderId);
  return orderId;
}

/** Lets what happened to the order be long enough ago that both sides must have heard of it. */
async function settle(orderId: OrderId): Promise<void> {
  const past = new Date(Date.now() - 600_000);
  await rig.db.order.update({ where: { id: orderId }, data: { createdAt: past } });
  await rig.db.payment.update({ where: { orderId }, data: { updatedAt: past } });
  await rig.db.reservation.updateMany({ where: { orderId }, data: { updatedAt: past } });
}

async function openDifferences(): Promise<readonly (readonly [string, string])[]> {
  const rows = await rig.db.difference.findMany({ where: { resolvedAt: null } });
  return rows.map(({ kind, subject }) => [kind, subject] as const);
}

/** Somebody else with the shop's account at the provider, a while ago. */
async function stripe(path: string, form: Record<string, string>): Promise<{ id: string }> {
  rig.sandbox.clock.setOffset(-600_000);
  const answer = await fetch(new URL(`v1/${path}`, rig.sandbox.url), {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_dashboard' },
    body: new URLSearchParams(form),
  });
  rig.sandbox.clock.setOffset(0);
  expect(answer.status).toBe(200);
  const body: unknown = await answer.json();
  if (typeof body !== 'object' || body === null || !('id' in body)) throw new Error('no id');
  return { id: String(body.id) };
}
