import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { redrive } from '../../api/redrive.ts';
import { refundKey, refundWorkflowId, type OrderId } from '../../domain/ids.ts';
import type { Refund, RefundStatus } from '../../domain/refund.ts';
import { recordRefundNeedsAttention } from '../../prisma/refund-outcomes.ts';
import { findRefund, findRefundStart, markRefundStarted } from '../../prisma/refunds.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, noticesOf } from '../support/expectations.ts';
import { acceptRefund } from '../support/refunding.ts';
import { openRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.sandbox.faults.clear());
afterAll(() => rig?.close());

const REFUND = { provider: 'payments', operation: 'refund' } as const;
const PATIENCE = { timeoutMs: 60_000, everyMs: 100 };
const BY = { apiKeyId: 'key_operator', name: 'an operator', correlationId: 'test' };

describe('a refund whose workflow is gone', () => {
  test('a refund whose workflow vanished is restarted by the next sweep and moves the money once', async () => {
    const refund = await started({ inTemporal: false });
    await age(refund);
    expect((await rig.sweep()).counts).toMatchObject({ refunds_restarted: 1, refunds_parked: 0 });
    await goneBackOnce(refund);
    const { workflowStartedAt } = await rowOf(refund);
    expect(workflowStartedAt?.getTime()).toBeGreaterThan(Date.now() - 300_000);
  });

  test('a refund whose workflow vanished after the money moved is restarted without moving it again', async () => {
    const refund = await started({ inTemporal: false });
    await movedAtTheProvider(refund);
    await age(refund);
    expect((await rig.sweep()).counts).toMatchObject({ refunds_restarted: 1 });
    await goneBackOnce(refund);
  });

  test('a refund whose workflow was terminated becomes a dead letter, and a redrive moves the money once', async () => {
    rig.sandbox.faults.set(REFUND, { mode: 'down' });
    const refund = await started();
    await eventually(() => expect(rig.sandbox.faults.list()[0]?.fired).toBeGreaterThan(0));
    await rig.client.workflow.getHandle(refundWorkflowId(refund.id)).terminate('by hand');
    await age(refund);
    expect((await rig.sweep()).counts).toMatchObject({ refunds_restarted: 0, refunds_parked: 1 });
    expect(await letterOf(refund)).toMatchObject({
      status: 'open',
      error: 'the workflow was terminated',
    });
    await age(refund);
    expect((await rig.sweep()).counts).toMatchObject({ refunds_checked: 0 });
    rig.sandbox.faults.clear();
    expect(await redriven(refund)).toBe('redriven');
    await goneBackOnce(refund);
    expect((await letterOf(refund)).status).toBe('resolved');
  });

  test('a finished refund reopened by a database restore is settled by a redrive without moving money again', async () => {
    const refund = await started();
    await goneBackOnce(refund);
    await restoreBooks(refund);
    await age(refund);
    expect((await rig.sweep()).counts).toMatchObject({ refunds_parked: 1 });
    expect(await redriven(refund)).toBe('redriven');
    await goneBackOnce(refund);
  });
});

describe('a stuck refund', () => {
  test('a sweep does not restart an idle refund whose workflow is running', async () => {
    rig.sandbox.faults.set(REFUND, { mode: 'down' });
    const refund = await started();
    await age(refund);
    expect((await rig.sweep()).counts).toMatchObject({
      refunds_explained: 1,
      refunds_restarted: 0,
      refunds_parked: 0,
    });
    rig.sandbox.faults.clear();
    await goneBackOnce(refund);
  });

  test('a sweep does not start a refund that needs attention', async () => {
    const refund = await started({ inTemporal: false });
    await recordRefundNeedsAttention(rig.db, refund, 'refund: outcome unknown (deadline)');
    await age(refund);
    expect((await rig.sweep()).counts).toMatchObject({ refunds_checked: 0 });
    expect(await rig.refunds.inspect(refund.id)).toEqual({ kind: 'missing' });
    expect(await redriven(refund)).toBe('redriven');
    await goneBackOnce(refund);
  });

  test('a refund whose workflow task keeps failing becomes a dead letter, and a redrive replaces its run', async () => {
    const orderId = await shipped();
    await rig.runCheckouts('broken');
    const refund = await started({ orderId });
    await untilFailing(refund);
    await age(refund);
    expect((await rig.sweep()).counts).toMatchObject({ refunds_parked: 1 });
    const replaced = await runIdOf(refund);
    expect(await redriven(refund)).toBe('redriven');
    expect(await runIdOf(refund)).not.toBe(replaced);
    await rig.runCheckouts('ours');
    await goneBackOnce(refund);
    expect((await letterOf(refund)).status).toBe('resolved');
  });
});

/** Shipped, and all of it asked back; without a workflow, as if Temporal had lost it, when told so. */
async function started(
  how: { readonly inTemporal?: boolean; readonly orderId?: OrderId } = {},
): Promise<Refund> {
  const refund = await acceptRefund(rig.db, how.orderId ?? (await shipped()));
  const start = await findRefundStart(rig.db, refund.id);
  if (start === null) throw new Error('it is open');
  if (how.inTemporal ?? true) expect(await rig.refunds.start(start)).toEqual({ kind: 'started' });
  await markRefundStarted(rig.db, refund.id);
  return refund;
}

async function shipped(): Promise<OrderId> {
  const { orderId } = await rig.start();
  await rig.until(orderId, 'shipped');
  await eventually(() => expect(noticesOf(rig, orderId)).toContain('shipped'), PATIENCE);
  return orderId;
}

/** Lets the refund look as if it had stood still for ten minutes, and unchecked. */
async function age({ id }: Refund): Promise<void> {
  const workflowStartedAt = new Date(Date.now() - 600_000);
  await rig.db.refund.update({ where: { id }, data: { workflowStartedAt, checkedAt: null } });
}

async function movedAtTheProvider({ id, orderId, amountMinor, currency }: Refund): Promise<void> {
  const { providerReference } = await rig.db.payment.findUniqueOrThrow({ where: { orderId } });
  const moved = await rig.gateways.payments.refund({
    key: refundKey(orderId, id),
    orderId,
    reference: providerReference ?? '',
    amount: { amountMinor, currency },
  });
  expect(moved.kind).toBe('done');
}

/** The books as they were before its outcome was written. */
async function restoreBooks({ id, orderId, amountMinor }: Refund): Promise<void> {
  const open = { status: 'requested', settledAt: null, providerReference: null };
  const owed = { status: 'captured', refundedMinor: 0, refundingMinor: amountMinor };
  await rig.db.$transaction([
    rig.db.refund.update({ where: { id }, data: open }),
    rig.db.payment.update({ where: { orderId }, data: owed }),
  ]);
}

/** Succeeded, in the provider's ledger once, and the customer was told once. */
async function goneBackOnce(refund: Refund): Promise<void> {
  const { id, orderId, amountMinor } = refund;
  await eventually(async () => {
    expect((await findRefund(rig.db, id))?.status).toBe('succeeded' satisfies RefundStatus);
  }, PATIENCE);
  expect(effectsOf(rig, orderId)['refund']).toBe(1);
  expect(await rig.db.payment.findUniqueOrThrow({ where: { orderId } })).toMatchObject({
    status: 'refunded',
    refundedMinor: amountMinor,
    refundingMinor: 0,
  });
  const { workflow } = rig.client;
  const result = await workflow.getHandle(refundWorkflowId(id)).result();
  expect(result).toEqual({ status: 'succeeded' });
  const notices = noticesOf(rig, orderId).filter((each) => each.startsWith('refunded'));
  expect(notices).toEqual([`refunded/${id}`]);
}

async function untilFailing({ id }: Refund): Promise<void> {
  await eventually(async () => {
    expect(await rig.refunds.inspect(id)).toEqual({ kind: 'failing' });
  }, PATIENCE);
}

async function runIdOf({ id }: Refund): Promise<string> {
  return (await rig.client.workflow.getHandle(refundWorkflowId(id)).describe()).runId;
}

async function redriven(refund: Refund): Promise<string> {
  const { id } = await letterOf(refund);
  return (await redrive(rig, id, { action: 'retry', note: null, by: BY })).kind;
}

function letterOf({ id }: Refund) {
  return rig.db.deadLetter.findFirstOrThrow({ where: { source: 'refund', subject: id } });
}

function rowOf({ id }: Refund) {
  return rig.db.refund.findUniqueOrThrow({ where: { id } });
}
