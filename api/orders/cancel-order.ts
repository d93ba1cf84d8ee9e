/**
 * Cancelling an order. The workflow decides, so that a cancel and a shipment cannot both win; the
 * database only spares the question where the answer is certain. The same Idempotency-Key is the
 * same update, so a lost answer can be asked for again (G10).
 */
import { compensationsAt, lastStage } from '../../domain/checkout-steps.ts';
import { cancelUpdateId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  insertCompletedKey,
  type KeyClaim,
  type StoredResponse,
} from '../../prisma/access/idempotency.ts';
import { findOrder, listOrderEvents, type CheckoutStart } from '../../prisma/orders/orders.ts';
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
      (await settledInBooks(deps, order, request.claim)) ?? askWorkflow(deps, order, request),
  );
}

async function askWorkflow(
  deps: CancelDeps,
  order: Order,
  { reason, claim }: CancelOrderRequest,
): Promise<HandlerResult> {
  const outcome = await deps.checkouts.cancel(startOf(order), { reason }, updateIdOf(claim));
  if (outcome.kind === 'accepted') return accept(deps, order, { claim, ...outcome });
  // What gave no answer may have been done all the same.
  const now = (await findOrder(deps.db, order.id)) ?? order;
  const settled = await settledInBooks(deps, now, claim);
  if (settled !== null) return settled;
  switch (outcome.kind) {
    case 'refused':
      // It refuses what it does already: this very request, when the task that took it was lost.
      return (await acceptedBefore(deps, now, claim)) ?? refused(notCancellable(outcome.reason));
    case 'undecided':
      return refused({
        code: 'cancel_undecided',
        detail: 'It is not decided yet. Ask again with the same key for the answer.',
        retryAfterSeconds: UNDECIDED_RETRY_SECONDS,
      });
    case 'unavailable':
      return refused({
        code: 'checkout_unavailable',
        detail: 'Nothing was decided. Try again with the same key.',
        retryAfterSeconds: UNAVAILABLE_RETRY_SECONDS,
      });
  }
}

/** What a workflow is started with, in case this order's does not run yet. */
export function startOf(order: Order): CheckoutStart {
  const { id, lines, totalMinor, currency, correlationId, traceparent } = order;
  const skus = lines.map(({ sku }) => sku);
  return { orderId: id, totalMinor, currency, skus, correlationId, traceparent };
}

/** The answer PostgreSQL alone can give; null when the workflow has to be asked. */
async function settledInBooks(
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
      // It may be this very request that cancelled it, and only the answer was lost.
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

/** The acceptance, when the order was turned round by this request; null when it was not. */
async function acceptedBefore(
  deps: CancelDeps,
  order: Order,
  claim: KeyClaim,
): Promise<StoredResponse | null> {
  const events = await listOrderEvents(deps.db, order.id, MAX_EVENTS);
  const turned = events.find(({ type }) => type === 'order.cancelling');
  if (turned?.causationId !== updateIdOf(claim)) return null;
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
  const answer: StoredResponse = {
    status: 202,
    body: JSON.stringify({
      id: order.id,
      object: 'order',
      status: 'cancelling',
      pending_compensations: accepted.pendingCompensations,
    }),
  };
  await db.$transaction((tx) => insertCompletedKey(tx, accepted.claim, answer));
  return answer;
}

/** The same key is the same update, so that a repeat gets the same answer. */
function updateIdOf(claim: KeyClaim): string {
  return cancelUpdateId(claim.apiKeyId, requestDigest(claim));
}

function notCancellable(reason: string): Problem {
  return {
    code: 'not_cancellable',
    detail: `The order was not cancelled: ${reason}.`,
    members: { reason },
  };
}
