/** Every path a refund can take, driven on a time-skipping server with real parts, like paths.ts. */
import { expect, vi } from 'vitest';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { retryRefundSignal, type RefundResult } from '../../workflows/refund/contract.ts';
import { REJECTED } from '../support/compensations.ts';
import { eventually } from '../support/eventually.ts';
import { acceptRefund, startRefund, type RefundHandle } from '../support/refunding.ts';
import { orderIdOf, type RunningShop } from '../support/running-shop.ts';
import { arm, type Path } from './paths.ts';

export interface RefundPath extends Pick<
  Path,
  'name' | 'faults' | 'reject' | 'inspectable' | 'holds'
> {
  /** What happens while the refund is in progress. */
  readonly meanwhile?: (shop: RunningShop, handle: RefundHandle) => Promise<void>;
  readonly ends: RefundResult['status'];
}

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
      const id = handle.workflowId.slice('refund/'.length);
      await eventually(async () => {
        const refund = await shop.db.refund.findUniqueOrThrow({ where: { id } });
        expect(refund.status).toBe('needs_attention');
      });
      vi.restoreAllMocks();
      await handle.signal(retryRefundSignal, { actor: 'op' });
    },
    holds: ['recordRefundNeedsAttention', 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED'],
    ends: 'succeeded',
  },
];

/** Ships an order without faults, arms the faults, and starts its refund. */
export async function beginRefund(shop: RunningShop, path: RefundPath): Promise<RefundHandle> {
  const checkout = await shop.start({ inspectable: path.inspectable === true });
  expect((await checkout.result()).status).toBe('shipped');
  arm(shop, path);
  const refund = await acceptRefund(shop.db, orderIdOf(checkout));
  expect(await listRefunds(shop.db, refund.orderId)).toHaveLength(1);
  return startRefund(shop, refund);
}
