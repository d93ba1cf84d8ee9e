/** Refunds of a shop's orders: accepted as the API accepts them, carried out by a real workflow. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { OrderId } from '../../domain/ids.ts';
import type { Refund } from '../../domain/refund.ts';
import type { Database } from '../../prisma/client/client.ts';
import { findRefundStart } from '../../prisma/payments/refunds.ts';
import { requestRefund } from '../../prisma/payments/request-refund.ts';
import type { refund } from '../../workflows/refund/refund.ts';
import { REFUND_WORKFLOW, refundStartOptions } from '../../workflows/refund/contract.ts';
import type { RunningShop } from './running-shop.ts';

export type RefundHandle = WorkflowHandle<typeof refund>;

/** An operator's words, with a person in them: never to be found in Temporal. */
export const REASON = 'canary.person@example.com called: it arrived broken';

/** Accepts a refund; all that is left by default. */
export async function acceptRefund(
  db: Database,
  orderId: OrderId,
  amountMinor: number | null = null,
): Promise<Refund> {
  const outcome = await requestRefund(db, {
    orderId,
    amountMinor,
    to: 'original',
    reason: REASON,
    actor: 'key_operator',
    claim: { apiKeyId: 'test', scope: 'refunds', key: randomUUID(), fingerprint: 'test' },
    response: () => ({ status: 202, body: '{}' }),
  });
  if (outcome.kind !== 'requested') throw new Error(`not accepted: ${outcome.kind}`);
  return outcome.refund;
}

/** Starts its workflow. */
export async function startRefund(
  { db, temporal }: Pick<RunningShop, 'db' | 'temporal'>,
  { id }: Refund,
): Promise<RefundHandle> {
  const start = await findRefundStart(db, id);
  if (!start) throw new Error(`no refund ${id}`);
  return temporal.client.workflow.start<typeof refund>(REFUND_WORKFLOW, refundStartOptions(start));
}
