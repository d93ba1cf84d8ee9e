/**
 * One item of a bulk job: the same use case as the call for one order or dead letter, under an
 * Idempotency-Key made of the job and the item. So an item that is repeated after a crash is done once.
 */
import { isOrderId } from '../../domain/ids.ts';
import type { BulkAction, BulkItemOutcome, BulkOrigin } from '../../domain/bulk.ts';
import type { Order } from '../../domain/order.ts';
import { findApiKeyById } from '../../prisma/access/api-keys.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { redrive, type RedriveDeps, type RedriveOutcome } from '../../services/redrive.ts';
import { OutageError } from '../../telemetry/items.ts';
import { claimOf } from '../http/idempotency-key.ts';
import type { IdempotentOutcome } from '../http/idempotent.ts';
import type { ProblemCode } from '../http/problems.ts';
import { cancelOrder } from '../orders/cancel-order.ts';
import { refundOrder, type RefundDeps } from '../orders/refund-order.ts';

type BulkDeps = RedriveDeps & RefundDeps;
type ItemAction = (id: string, by: BulkOrigin) => Promise<BulkItemOutcome>;

/** Throws OutageError when Temporal is unavailable: the others would meet it as well. */
export function createBulkItems(deps: BulkDeps): Readonly<Record<BulkAction, ItemAction>> {
  return {
    cancel: (id, by) =>
      onOrder(deps, id, (order) => {
        const claim = itemClaim(by, `POST /v1/orders/${id}/cancel`);
        return cancelOrder(deps, order, { reason: 'requested_by_operator', claim });
      }),
    refund: (id, by) =>
      onOrder(deps, id, (order) =>
        refundOrder(deps, order, {
          amountMinor: null,
          to: 'original',
          reason: by.note,
          actor: by.actor,
          claim: itemClaim(by, `POST /v1/orders/${id}/refunds`),
          correlationId: by.jobId,
        }),
      ),
    redrive: async (id, by) => {
      const name = (await findApiKeyById(deps.db, by.actor))?.name ?? by.actor;
      const decider = { apiKeyId: by.actor, correlationId: by.jobId, name };
      return ofRedrive(await redrive(deps, id, { action: 'retry', note: by.note, by: decider }));
    },
  };
}

/** The workflow has not answered yet, or an attempt before a crash has the key. */
const UNDECIDED: readonly ProblemCode[] = ['cancel_undecided', 'request_in_flight'];
const DONE: BulkItemOutcome = { kind: 'done' };

async function onOrder(
  { db }: BulkDeps,
  id: string,
  act: (order: Order) => Promise<IdempotentOutcome>,
): Promise<BulkItemOutcome> {
  const order = isOrderId(id) ? await findOrder(db, id) : null;
  if (order === null) return refusedWith('The order does not exist.');
  const outcome = await act(order);
  if (outcome.kind === 'completed') return DONE;
  const { code, detail, retryAfterSeconds } = outcome.problem;
  if (code === 'checkout_unavailable' && retryAfterSeconds !== undefined)
    throw new OutageError(detail);
  return UNDECIDED.includes(code) ? { kind: 'undecided', reason: detail } : refusedWith(detail);
}

function itemClaim({ jobId, actor }: BulkOrigin, scope: string) {
  return claimOf({ apiKeyId: actor, scope, key: jobId, body: null });
}

function ofRedrive({ kind }: RedriveOutcome): BulkItemOutcome {
  switch (kind) {
    case 'redriven':
    // Redriven by this job before a crash, or decided by somebody else: nothing is left to do.
    case 'not_open':
    case 'not_found':
      return DONE;
    case 'unavailable':
      throw new OutageError('Temporal is unavailable');
    case 'refund_failed':
      return refusedWith('There is no refund that can be retried. Request a new one.');
    case 'not_applicable':
    case 'not_waiting':
      return refusedWith('No step or refund waits for it.');
    case 'rejected':
      return refusedWith('Temporal refuses its workflow.');
  }
}

function refusedWith(reason: string): BulkItemOutcome {
  return { kind: 'refused', reason };
}
