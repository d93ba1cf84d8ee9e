/** Every path a refund can take, driven on a time-skipping server with real parts, like paths.ts. */
import { expect, vi } from 'vitest';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import {
  refundChangedSignal,
  retryRefundSignal,
  type RefundResult,
} from '../../workflows/refund/contract.ts';
import type { RefundStatus } from '../../domain/refund.ts';
import { REJECTED } from '../support/compensations.ts';
import { eventually } from '../support/eventually.ts';
import { skipDays, type SkippingTemporal } from '../support/temporal.ts';
import { moveAtProvider } from '../support/provider-refunds.ts';
import { acceptRefund, startRefund, type RefundHandle } from '../support/refunding.ts';
import { orderIdOf, type RunningShop } from '../support/running-shop.ts';
import { arm, type Path } from './paths.ts';

export interface RefundPath extends Pick<
  Path,
  'name' | 'faults' | 'reject' | 'inspectable' | 'holds'
> {
  readonly card?: string;
  /** What happens while the refund is in progress. */
  readonly meanwhile?: (shop: RunningShop<SkippingTemporal>, handle: RefundHandle) => Promise<void>;
  readonly ends: RefundResult['status'];
}

/** Stripe's test card whose refunds are pending at first. */
const PENDING = 'pm_card_pendingRefund';

export const REFUND_PATHS: readonly RefundPath[] = [
  { name: 'refunded', faults: [], holds: ['refundPayment', 'notifyCustomer'], ends: 'succeeded' },
  {
    name: 'inspectable-refunded',
    faults: [],
    inspectable: true,
    holds: ['"inspectable":true', 'EVENT_TYPE_ACTIVITY_TASK_COMPLETED', 'refundPayment'],
    ends: 'succeeded',
  },
  {
    name: 'refunded-after-durable-retries',
    faults: [
      ['payments', 'refund', 'answer_lost', 2],
      ['payments', 'lookup', 'down', 2],
      ['mail', 'send', 'fail_before', 3],
    ],
    holds: ['EVENT_TYPE_ACTIVITY_TASK_COMPLETED', 'refundPayment'],
    ends: 'succeeded',
  },
  {
    name: 'refund-refused',
    faults: [['payments', 'refund', 'refuse']],
    holds: ['"status":"failed"', 'insufficient_funds'],
    ends: 'failed',
  },
  {
    name: 'refunded-without-email',
    faults: [['mail', 'send', 'refuse']],
    holds: ['EVENT_TYPE_ACTIVITY_TASK_FAILED', 'recordNotificationFailed'],
    ends: 'succeeded',
  },
  {
    name: 'refunded-after-an-operator-retried',
    faults: [],
    reject: ({ payments }) => vi.spyOn(payments, 'refund').mockRejectedValue(REJECTED),
    meanwhile: async (shop, handle) => {
      await untilRefund(shop, handle, 'needs_attention');
      vi.restoreAllMocks();
      await handle.signal(retryRefundSignal, { actor: 'op' });
    },
    holds: ['recordRefundNeedsAttention', 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED'],
    ends: 'succeeded',
  },
  {
    name: 'refunded-after-days',
    faults: [],
    card: PENDING,
    meanwhile: async (shop, handle) => {
      await shop.temporal.env.sleep('3 hours');
      await moveAtProvider(shop, await accepted(shop, handle), 'succeeded');
    },
    holds: ['lookUpRefund', 'EVENT_TYPE_TIMER_FIRED', 'notifyCustomer'],
    ends: 'succeeded',
  },
  {
    name: 'refund-failed-after-it-was-pending',
    faults: [],
    card: PENDING,
    meanwhile: async (shop, handle) => {
      await moveAtProvider(shop, await accepted(shop, handle), 'failed');
      await handle.signal(refundChangedSignal);
    },
    holds: ['lookUpRefund', 'refundChanged', 'expired_or_canceled_card'],
    ends: 'failed',
  },
  {
    name: 'refund-pending-for-30-days',
    faults: [],
    card: PENDING,
    meanwhile: async (shop, handle) => {
      const reference = await accepted(shop, handle);
      await skipDays(shop.temporal.env, 31);
      await untilRefund(shop, handle, 'needs_attention');
      await moveAtProvider(shop, reference, 'succeeded');
      await handle.signal(retryRefundSignal, { actor: 'op' });
    },
    holds: ['EVENT_TYPE_TIMER_FIRED', 'recordRefundNeedsAttention', 'retryRefund'],
    ends: 'succeeded',
  },
];

/** The provider's id of the refund, once it is accepted. */
async function accepted(shop: RunningShop, handle: RefundHandle): Promise<string | null> {
  return (await untilRefund(shop, handle, 'pending')).providerReference;
}

function untilRefund({ db }: RunningShop, handle: RefundHandle, status: RefundStatus) {
  const id = handle.workflowId.slice('refund/'.length);
  return eventually(async () => {
    const refund = await db.refund.findUniqueOrThrow({ where: { id } });
    expect(refund.status).toBe(status);
    return refund;
  });
}

/** Ships an order without faults, arms the faults, and starts its refund. */
export async function beginRefund(shop: RunningShop, path: RefundPath): Promise<RefundHandle> {
  const checkout = await shop.start({
    inspectable: path.inspectable === true,
    ...(path.card !== undefined && { card: path.card }),
  });
  expect((await checkout.result()).status).toBe('shipped');
  arm(shop, path);
  const refund = await acceptRefund(shop.db, orderIdOf(checkout));
  expect(await listRefunds(shop.db, refund.orderId)).toHaveLength(1);
  return startRefund(shop, refund);
}
