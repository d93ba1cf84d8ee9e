import { describe, expect, test } from 'vitest';
import { redrive } from '../../services/redrive.ts';
import { refundKey, refundWorkflowId, type OrderId } from '../../domain/ids.ts';
import type { Refund, RefundStatus } from '../../domain/refund.ts';
import { recordRefundNeedsAttention } from '../../prisma/payments/refund-attention.ts';
import { findRefund, findRefundStart, markRefundStarted } from '../../prisma/payments/refunds.ts';
import { REFUND_WORKFLOW, refundStartOptions } from '../../workflows/refund/contract.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, notificationsOf } from '../support/expectations.ts';
import { acceptRefund } from '../support/refunding.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { deploy, startWithShortTasks, sweep, untilStatus, WITH_MAINTENANCE } from './operations.ts';

const shop = useRunningShop(WITH_MAINTENANCE);

const REFUND = { provider: 'payments', operation: 'refund' } as const;
const BY = { apiKeyId: 'key_operator', name: 'an operator', correlationId: 'test' };

describe('a refund whose workflow is gone', () => {
  test('a refund whose workflow vanished is restarted by the next sweep and moves the money once', async () => {
    const refund = await started({ inTemporal: false });
    await age(refund);
    expect((await sweep(shop)).counts).toMatchObject({
      refunds_restarted: 1,
      refunds_escalated: 0,
    });
    await expectRefundedOnce(refund);
    const { workflowStartedAt } = await rowOf(refund);
    expect(workflowStartedAt?.getTime()).toBeGreaterThan(Date.now() - 300_000);
  });

  test('a refund whose workflow vanished after the money moved is restarted without moving it again', async () => {
    const refund = await started({ inTemporal: false });
    await refundAtProvider(refund);
    await age(refund);
    expect((await sweep(shop)).counts).toMatchObject({ refunds_restarted: 1 });
    await expectRefundedOnce(refund);
  });

  test('a refund whose workflow was terminated becomes a dead letter, and a redrive moves the money once', async () => {
    shop.sandbox.faults.set(REFUND, { mode: 'down' });
    const refund = await started();
    await eventually(() => expect(shop.sandbox.faults.list()[0]?.fired).toBeGreaterThan(0));
    await shop.temporal.client.workflow
      .getHandle(refundWorkflowId(refund.id))
      .terminate('terminated by a test');
    await age(refund);
    expect((await sweep(shop)).counts).toMatchObject({
      refunds_restarted: 0,
      refunds_escalated: 1,
    });
    expect(await deadLetterOf(refund)).toMatchObject({
      status: 'open',
      error: 'the workflow was terminated',
    });
    await age(refund);
    expect((await sweep(shop)).counts).toMatchObject({ refunds_checked: 0 });
    shop.sandbox.faults.clear();
    expect(await redriven(refund)).toBe('redriven');
    await expectRefundedOnce(refund);
    expect((await deadLetterOf(refund)).status).toBe('resolved');
  });

  test('a finished refund reopened by a database restore is settled by a redrive without moving money again', async () => {
    const refund = await started();
    await expectRefundedOnce(refund);
    await restoreRecords(refund);
    await age(refund);
    expect((await sweep(shop)).counts).toMatchObject({ refunds_escalated: 1 });
    expect(await redriven(refund)).toBe('redriven');
    await expectRefundedOnce(refund);
  });
});

describe('a stuck refund', () => {
  test('a sweep does not restart an idle refund whose workflow is running', async () => {
    shop.sandbox.faults.set(REFUND, { mode: 'down' });
    const refund = await started();
    await age(refund);
    expect((await sweep(shop)).counts).toMatchObject({
      refunds_explained: 1,
      refunds_restarted: 0,
      refunds_escalated: 0,
    });
    shop.sandbox.faults.clear();
    await expectRefundedOnce(refund);
  });

  test('a sweep does not start a refund that needs attention', async () => {
    const refund = await started({ inTemporal: false });
    await recordRefundNeedsAttention(shop.db, refund, 'refund: outcome unknown (deadline)');
    await age(refund);
    expect((await sweep(shop)).counts).toMatchObject({ refunds_checked: 0 });
    expect(await shop.services.refunds.inspect(refund.id)).toEqual({ kind: 'missing' });
    expect(await redriven(refund)).toBe('redriven');
    await expectRefundedOnce(refund);
  });

  test('a refund whose workflow task keeps failing becomes a dead letter, and a redrive replaces its run', async () => {
    const orderId = await shipped();
    await deploy(shop, 'broken');
    const refund = await started({ orderId, shortTasks: true });
    await untilFailing(refund);
    await age(refund);
    expect((await sweep(shop)).counts).toMatchObject({ refunds_escalated: 1 });
    await shop.stopWorker('checkouts');
    const replaced = await runIdOf(refund);
    expect(await redriven(refund)).toBe('redriven');
    expect(await runIdOf(refund)).not.toBe(replaced);
    await shop.startWorker('checkouts');
    await expectRefundedOnce(refund);
    expect((await deadLetterOf(refund)).status).toBe('resolved');
  });
});

/** A full refund of a shipped order; `inTemporal: false`: without a workflow, as if Temporal had lost it. */
async function started(
  how: {
    readonly inTemporal?: boolean;
    readonly orderId?: OrderId;
    readonly shortTasks?: boolean;
  } = {},
): Promise<Refund> {
  const refund = await acceptRefund(shop.db, how.orderId ?? (await shipped()));
  const start = await findRefundStart(shop.db, refund.id);
  if (start === null) throw new Error('the refund is not open');
  if (how.inTemporal ?? true) {
    expect(await shop.services.refunds.start(start)).toEqual({ kind: 'started' });
  }
  if (how.shortTasks) await startWithShortTasks(shop, REFUND_WORKFLOW, refundStartOptions(start));
  await markRefundStarted(shop.db, refund.id);
  return refund;
}

async function shipped(): Promise<OrderId> {
  const { orderId } = await shop.order();
  await untilStatus(shop, orderId, 'shipped');
  await eventually(() => expect(notificationsOf(shop, orderId)).toContain('shipped'));
  return orderId;
}

/** Makes the refund look idle for ten minutes, and unchecked. */
async function age({ id }: Refund): Promise<void> {
  const workflowStartedAt = new Date(Date.now() - 600_000);
  await shop.db.refund.update({ where: { id }, data: { workflowStartedAt, checkedAt: null } });
}

async function refundAtProvider({ id, orderId, amountMinor, currency }: Refund): Promise<void> {
  const { providerReference } = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
  const moved = await shop.gateways.payments.refund({
    key: refundKey(orderId, id),
    orderId,
    reference: providerReference ?? '',
    amount: { amountMinor, currency },
  });
  expect(moved.kind).toBe('done');
}

/** The records as they were before its outcome was recorded. */
async function restoreRecords({ id, orderId, amountMinor }: Refund): Promise<void> {
  const open = { status: 'requested', settledAt: null, providerReference: null } as const;
  const owed = { status: 'captured', refundedMinor: 0, refundingMinor: amountMinor } as const;
  await shop.db.$transaction([
    shop.db.refund.update({ where: { id }, data: open }),
    shop.db.payment.update({ where: { orderId }, data: owed }),
  ]);
}

/** Succeeded, once in the provider's ledger, with one notification. */
async function expectRefundedOnce(refund: Refund): Promise<void> {
  const { id, orderId, amountMinor } = refund;
  await eventually(async () => {
    expect((await findRefund(shop.db, id))?.status).toBe('succeeded' satisfies RefundStatus);
  });
  expect(effectsOf(shop, orderId)['refund']).toBe(1);
  expect(await shop.db.payment.findUniqueOrThrow({ where: { orderId } })).toMatchObject({
    status: 'refunded',
    refundedMinor: amountMinor,
    refundingMinor: 0,
  });
  const { workflow } = shop.temporal.client;
  const result = await workflow.getHandle(refundWorkflowId(id)).result();
  expect(result).toEqual({ status: 'succeeded' });
  const notifications = notificationsOf(shop, orderId).filter((each) =>
    each.startsWith('refunded'),
  );
  expect(notifications).toEqual([`refunded/${id}`]);
}

async function untilFailing({ id }: Refund): Promise<void> {
  await eventually(async () => {
    expect(await shop.services.refunds.inspect(id)).toEqual({ kind: 'failing' });
  });
}

async function runIdOf({ id }: Refund): Promise<string> {
  return (await shop.temporal.client.workflow.getHandle(refundWorkflowId(id)).describe()).runId;
}

async function redriven(refund: Refund): Promise<string> {
  const { id } = await deadLetterOf(refund);
  return (await redrive(shop.services, id, { action: 'retry', note: null, by: BY })).kind;
}

function deadLetterOf({ id }: Refund) {
  return shop.db.deadLetter.findFirstOrThrow({ where: { source: 'refund', subject: id } });
}

function rowOf({ id }: Refund) {
  return shop.db.refund.findUniqueOrThrow({ where: { id } });
}
