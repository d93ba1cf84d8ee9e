/**
 * Cancelling an order. The workflow decides, so that a cancel and a shipment cannot both win; the
 * database only spares the question where the answer is certain. The same Idempotency-Key is the
 * same update, so a lost answer can be asked for again (G10).
 */
import type { Order } from '../domain/order.ts';
import type { Database } from '../prisma/client.ts';
import {
  claimAnswered,
  inspectKey,
  type KeyClaim,
  type StoredAnswer,
} from '../prisma/idempotency.ts';
import type { CheckoutStart } from '../prisma/orders.ts';
import type { CancelRequest } from '../workflows/contract.ts';
import type { Checkouts } from './checkouts.ts';
import { inFlight, keyReused } from './order-answers.ts';
import type { Problem } from './problems.ts';

export interface CancelDeps {
  readonly db: Database;
  readonly checkouts: Checkouts;
}

export interface CancelOrderRequest extends CancelRequest {
  readonly claim: KeyClaim;
}

export type CancelOrderOutcome =
  | { readonly kind: 'accepted'; readonly answer: StoredAnswer; readonly replayed: boolean }
  | { readonly kind: 'refused'; readonly problem: Problem };

const UNDECIDED_RETRY_SECONDS = 2;
const UNAVAILABLE_RETRY_SECONDS = 5;

export async function cancelOrder(
  deps: CancelDeps,
  order: Order,
  request: CancelOrderRequest,
): Promise<CancelOrderOutcome> {
  const known = await inspectKey(deps.db, request.claim);
  if (known.kind === 'answered') return { kind: 'accepted', answer: known.answer, replayed: true };
  if (known.kind === 'other_request') return refused(keyReused());
  if (known.kind !== 'free') return refused(inFlight());
  const certain = certainlyNot(order);
  if (certain !== null) return refused(certain);
  const { reason, claim } = request;
  const outcome = await deps.checkouts.cancel(startOf(order), { reason }, `cancel/${claim.key}`);
  switch (outcome.kind) {
    case 'accepted':
      return {
        kind: 'accepted',
        answer: await keep(deps, order, { claim, ...outcome }),
        replayed: false,
      };
    case 'refused':
      return refused(notCancellable(outcome.reason));
    case 'undecided':
      return refused({
        code: 'cancel_undecided',
        detail: 'The warehouse is being asked. Ask again with the same key for the answer.',
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
  const { id, totalMinor, currency, lines, correlationId } = order;
  return { orderId: id, totalMinor, currency, skus: lines.map(({ sku }) => sku), correlationId };
}

/** Why the order cannot be cancelled whatever the workflow says; null when it has to be asked. */
function certainlyNot(order: Order): Problem | null {
  switch (order.status) {
    case 'pending':
      return notCancellable('not_placed_yet');
    case 'declined':
    case 'expired':
    case 'shipped':
    case 'delivered':
      return notCancellable(`already_${order.status}`);
    case 'cancelled':
      // One that was asked for may be this very request, whose answer was lost.
      return order.cancelReason?.startsWith('requested_by')
        ? null
        : notCancellable('already_cancelled');
    case 'placed':
    case 'reserved':
    case 'paid':
    case 'cancelling':
    case 'needs_attention':
      return null;
  }
}

async function keep(
  { db }: CancelDeps,
  order: Order,
  accepted: { readonly claim: KeyClaim; readonly willUndo: readonly string[] },
): Promise<StoredAnswer> {
  const answer: StoredAnswer = {
    status: 202,
    body: JSON.stringify({
      id: order.id,
      object: 'order',
      status: 'cancelling',
      will_undo: accepted.willUndo,
    }),
  };
  await db.$transaction((tx) => claimAnswered(tx, accepted.claim, answer));
  return answer;
}

function notCancellable(reason: string): Problem {
  return {
    code: 'not_cancellable',
    detail: `The order was not cancelled: ${reason}.`,
    members: { reason },
  };
}

function refused(problem: Problem): CancelOrderOutcome {
  return { kind: 'refused', problem };
}
