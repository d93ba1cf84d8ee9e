/**
 * The end of a pending order nobody finished. A try may begin only before the order's deadline, and
 * nobody ends one while an authorization asked for in time may still be under way. Should a try all
 * the same be about to record one, the turn decides: what is let go is written down first, and an
 * order whose money is being let go is never placed.
 */
import { providerKey } from '../domain/ids.ts';
import type { Order } from '../domain/order.ts';
import type { PaymentGateway } from '../gateways/payments.ts';
import type { Database } from '../prisma/client/client.ts';
import {
  findUnfinishedVoid,
  recordExpired,
  recordVoidRequested,
} from '../prisma/orders/expire-order.ts';
import { isOverdue } from '../prisma/orders/orders.ts';
import { withinTrace } from '../telemetry/tracing.ts';

export interface ExpireDeps {
  readonly db: Database;
  readonly payments: PaymentGateway;
}

export type ExpireOutcome =
  | { readonly kind: 'expired' }
  /** Not known to be over: the next pass asks again. */
  | { readonly kind: 'later'; readonly reason: string };

/**
 * Why an order is neither placed nor declined. `expired` only when no attempt can place it any more
 * and none of its money is held; `void_pending` when the provider has not confirmed the void.
 */
export async function explainUnsettled(
  deps: ExpireDeps,
  order: Order,
): Promise<'in_flight' | 'expiring' | 'expired' | 'void_pending'> {
  if (order.status !== 'expired') {
    return (await isOverdue(deps.db, order.id)) ? 'expiring' : 'in_flight';
  }
  const held = await findUnfinishedVoid(deps.db, order);
  if (held === null) return 'expired';
  const { kind } = await voidAndExpire(deps, order, held);
  return kind === 'expired' ? 'expired' : 'void_pending';
}

/** Finds out about the authorization, lets it go, then ends the order and its hold. */
export function expireOrder(deps: ExpireDeps, order: Order): Promise<ExpireOutcome> {
  return withinTrace(order.traceparent, () => lookUpAndExpire(deps, order));
}

async function lookUpAndExpire(deps: ExpireDeps, order: Order): Promise<ExpireOutcome> {
  const found = await deps.payments.lookUp({ orderId: order.id, reference: null });
  if (found.kind === 'absent') return end(deps, order, null);
  if (found.kind !== 'found') return { kind: 'later', reason: found.kind };
  const { reference, state } = found.payment;
  switch (state) {
    case 'declined':
      return end(deps, order, null);
    case 'voided':
      return end(deps, order, reference);
    case 'authorized':
      return voidAndExpire(deps, order, reference);
    case 'processing':
    case 'captured':
      return { kind: 'later', reason: state };
  }
}

/** Voids the authorization of an order that is not placed and shall not be, and ends the order. */
async function voidAndExpire(
  deps: ExpireDeps,
  order: Order,
  reference: string,
): Promise<ExpireOutcome> {
  if (!(await recordVoidRequested(deps.db, order, reference))) {
    return { kind: 'later', reason: 'placed_meanwhile' };
  }
  const outcome = await deps.payments.voidAuthorization({
    key: providerKey(order.id, 'void'),
    orderId: order.id,
    reference,
    amount: { amountMinor: order.totalMinor, currency: order.currency },
  });
  if (outcome.kind !== 'done') return { kind: 'later', reason: 'void_not_done' };
  return end(deps, order, reference);
}

async function end(
  { db }: ExpireDeps,
  order: Order,
  voidedReference: string | null,
): Promise<ExpireOutcome> {
  await recordExpired(db, order, voidedReference);
  return { kind: 'expired' };
}
