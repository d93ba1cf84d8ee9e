/**
 * Expires pending orders that were never placed or declined. An attempt may begin only before the order's
 * deadline, and an order is not expired while an authorization begun before it may be in progress.
 * The order's lock decides the remaining race: the void request is recorded before the void, and an order
 * with a recorded void request is never placed.
 */
import { cardMinor, type Order } from '../domain/order.ts';
import { recordExpired } from '../prisma/orders/expire-order.ts';
import { isOverdue } from '../prisma/orders/orders.ts';
import { findPaymentWait } from '../prisma/orders/payment-actions.ts';
import { findUnfinishedVoid } from '../prisma/orders/voids.ts';
import { withinTrace } from '../telemetry/tracing.ts';
import { endUnpaid, type EndUnpaidDeps, type Later } from './end-unpaid.ts';
import { settleAction } from './settle-action.ts';

export type ExpireOutcome =
  | { readonly kind: 'expired' }
  /** The shopper had confirmed the payment in time, or it failed. */
  | { readonly kind: 'not_waiting' }
  /** The outcome is not known yet. The next pass retries. */
  | Later;

/**
 * Why the order has no answer. Of an expired one it first repeats a void without outcome, which calls the
 * provider. `expired`: no attempt can place it any more and no money is held. `void_pending`: the provider
 * has not confirmed the void yet.
 */
export async function retryVoidAndExplain(
  deps: EndUnpaidDeps,
  order: Order,
): Promise<'in_flight' | 'expiring' | 'expired' | 'void_pending'> {
  if (order.status !== 'expired') {
    return (await isOverdue(deps.db, order.id)) ? 'expiring' : 'in_flight';
  }
  const unfinished = await findUnfinishedVoid(deps.db, order.id);
  if (unfinished === null) return 'expired';
  const { kind } = await endUnpaid(deps, order, unfinished);
  return kind === 'later' ? 'void_pending' : 'expired';
}

/**
 * Looks up the authorization and voids it, then expires the order and releases its stock. A payment that
 * the shopper has confirmed in time places the order instead.
 */
export async function expireOrder(deps: EndUnpaidDeps, order: Order): Promise<ExpireOutcome> {
  if ((await findPaymentWait(deps.db, order.id)) !== null) {
    const outcome = await settleAction(deps, order.id);
    // A shopper who confirms now gets the same: a wait past its deadline ends.
    return outcome.kind === 'waiting' ? { kind: 'later', reason: 'waiting' } : outcome;
  }
  return withinTrace(order.traceparent, () => lookUpAndExpire(deps, order));
}

async function lookUpAndExpire(deps: EndUnpaidDeps, order: Order): Promise<ExpireOutcome> {
  if (cardMinor(order) === 0) return recordEnd(deps, order);
  const found = await deps.payments.lookUp({ orderId: order.id, reference: null });
  if (found.kind === 'absent') return recordEnd(deps, order);
  if (found.kind === 'unknown' && found.notUnderstood) {
    return { kind: 'later', reason: 'not_understood' };
  }
  if (found.kind !== 'found') return { kind: 'later', reason: found.kind };
  const { reference, state } = found.payment;
  switch (state) {
    case 'declined':
      return recordEnd(deps, order);
    case 'voided':
    case 'action_required':
    case 'authorized':
    // It may never be judged: a void is refused while the provider works on it, and repeated.
    case 'processing':
      return voidAndExpire(deps, order, reference);
    case 'captured':
      return { kind: 'later', reason: state };
  }
}

async function voidAndExpire(
  deps: EndUnpaidDeps,
  order: Order,
  reference: string,
): Promise<ExpireOutcome> {
  const outcome = await endUnpaid(deps, order, { reference, declineCode: null });
  return outcome.kind === 'later' ? outcome : { kind: 'expired' };
}

async function recordEnd({ db }: EndUnpaidDeps, order: Order): Promise<ExpireOutcome> {
  await recordExpired(db, order, null);
  return { kind: 'expired' };
}
