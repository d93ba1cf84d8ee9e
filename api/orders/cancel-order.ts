/**
 * Cancels an order. The workflow decides, so that a cancel and a shipment cannot both succeed; the
 * database answers only when the result is certain. The same Idempotency-Key is the same update, so a
 * lost response can be requested again.
 */
import { CANCEL_REFUSALS, type CancelRefusal } from '../../domain/cancel-refusal.ts';
import { compensationsAt, lastStage } from '../../domain/checkout-steps.ts';
import { cancelUpdateId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  insertCompletedKey,
  type KeyClaim,
  type StoredResponse,
} from '../../prisma/access/idempotency.ts';
import { findOrder, listOrderEvents, startOf } from '../../prisma/orders/orders.ts';
import type { CancelRequest } from '../../workflows/checkout/contract.ts';
import type { CheckoutClient } from '../../temporal/checkout-client.ts';
import { requestDigest } from '../http/idempotency-key.ts';
import { MAX_EVENTS } from './order-view.ts';
import type { Problem } from '../http/problems.ts';
import {
  refused,
  withIdempotencyKey,
  type IdempotentOutcome,
  type HandlerResult,
} from '../http/idempotent.ts';

export interface CancelDeps {
  readonly db: Database;
  readonly checkouts: CheckoutClient;
}

export interface CancelOrderRequest extends CancelRequest {
  readonly claim: KeyClaim;
}

const UNDECIDED_RETRY_SECONDS = 2;
const UNAVAILABLE_RETRY_SECONDS = 5;

export function cancelOrder(
  deps: CancelDeps,
  order: Order,
  request: CancelOrderRequest,
): Promise<IdempotentOutcome> {
  return withIdempotencyKey(
    deps.db,
    request.claim,
    async () =>
      (await settledInRecords(deps, order, request.claim)) ?? askWorkflow(deps, order, request),
  );
}

async function askWorkflow(
  deps: CancelDeps,
  order: Order,
  { reason, claim }: CancelOrderRequest,
): Promise<HandlerResult> {
  const outcome = await deps.checkouts.cancel(startOf(order), { reason }, updateIdOf(claim));
  if (outcome.kind === 'accepted') return accept(deps, order, { claim, ...outcome });
  // The workflow may have acted even though its result was lost.
  const current = (await findOrder(deps.db, order.id)) ?? order;
  const settled = await settledInRecords(deps, current, claim);
  if (settled !== null) return settled;
  switch (outcome.kind) {
    case 'refused':
      // If the task that accepted this update was lost, the workflow refuses the repeat.
      return (
        (await acceptedBefore(deps, current, claim)) ??
        refused(notCancellable(reasonOf(outcome.reason, current)))
      );
    case 'undecided':
      return refused({
        code: 'cancel_undecided',
        detail: 'The cancellation is not decided yet. Retry with the same Idempotency-Key.',
        retryAfterSeconds: UNDECIDED_RETRY_SECONDS,
      });
    case 'unavailable':
      return refused({
        code: 'checkout_unavailable',
        detail:
          'It is not known whether the order was cancelled. Retry with the same Idempotency-Key.',
        retryAfterSeconds: UNAVAILABLE_RETRY_SECONDS,
      });
    case 'rejected':
      return refused({
        code: 'checkout_unavailable',
        detail: 'The order was not cancelled: Temporal refuses its workflow. An operator is asked.',
      });
  }
}

/** The result that the database alone determines; null when the workflow has to decide. */
async function settledInRecords(
  deps: CancelDeps,
  order: Order,
  claim: KeyClaim,
): Promise<HandlerResult | null> {
  switch (order.status) {
    case 'pending':
      return refused(notCancellable('not_placed_yet'));
    case 'declined':
    case 'expired':
    case 'shipped':
    case 'delivered':
      return refused(notCancellable(`already_${order.status}`));
    case 'cancelled':
      // This request may have cancelled it, and only the response was lost.
      return (
        (await acceptedBefore(deps, order, claim)) ?? refused(notCancellable('already_cancelled'))
      );
    case 'placed':
    case 'reserved':
    case 'paid':
    case 'cancelling':
    case 'needs_attention':
      return null;
  }
}

/** The acceptance of this request if it cancelled the order; otherwise null. */
async function acceptedBefore(
  deps: CancelDeps,
  order: Order,
  claim: KeyClaim,
): Promise<StoredResponse | null> {
  const events = await listOrderEvents(deps.db, order.id, { limit: MAX_EVENTS });
  const cancelling = events.find(({ type }) => type === 'order.cancelling');
  if (cancelling?.causationId !== updateIdOf(claim)) return null;
  const stage = lastStage((step) =>
    events.some(({ type }) => type === `order.${step.stage.after}`),
  );
  return accept(deps, order, { claim, pendingCompensations: compensationsAt(stage) });
}

async function accept(
  { db }: CancelDeps,
  order: Order,
  accepted: { readonly claim: KeyClaim; readonly pendingCompensations: readonly string[] },
): Promise<StoredResponse> {
  const response: StoredResponse = {
    status: 202,
    body: JSON.stringify({
      id: order.id,
      object: 'order',
      status: 'cancelling',
      pending_compensations: accepted.pendingCompensations,
    }),
  };
  await db.$transaction((tx) => insertCompletedKey(tx, accepted.claim, response));
  return response;
}

/** Without a workflow, an order that waits for a person is continued or cancelled by their decision alone. */
function reasonOf(refusal: CancelRefusal, { status }: Order): CancelRefusal {
  const waits = refusal === 'checkout_ended' && status === 'needs_attention';
  return waits ? 'needs_attention' : refusal;
}

/** The same key is the same update, so a repeat gets the same result. */
function updateIdOf(claim: KeyClaim): string {
  return cancelUpdateId(claim.apiKeyId, requestDigest(claim));
}

function notCancellable(reason: CancelRefusal): Problem {
  return {
    code: 'not_cancellable',
    detail: `The order was not cancelled: ${CANCEL_REFUSALS[reason]}.`,
    members: { reason },
  };
}
