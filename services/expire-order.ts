/**
 * Expires pending orders that were never settled. An attempt may begin only before the order's
 * deadline, and an order is not expired while an authorization begun before it may be in progress.
 * The row lock decides the remaining race: the void request is recorded before the void, and an order
 * with a recorded void request is never placed.
 */
import { providerKey } from '../domain/ids.ts';
import { cardMinor, type Order } from '../domain/order.ts';
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
  /** The outcome is not known yet. The next pass retries. */
  | { readonly kind: 'later'; readonly reason: string };

/**
 * Explains why an order is neither placed nor declined. `expired`: no attempt can place it any more
 * and no money is held. `void_pending`: the provider has not confirmed the void yet.
 */
export async function explainUnsettled(
  deps: ExpireDeps,
  order: Order,
): Promise<'in_flight' | 'expiring' | 'expired' | 'void_pending'> {
  if (order.status !== 'expired') {
    return (await isOverdue(deps.db, order.id)) ? 'expiring' : 'in_flight';
  }
  const reference = await findUnfinishedVoid(deps.db, order);
  if (reference === null) return 'expired';
  const { kind } = await voidAndExpire(deps, order, reference);
  return kind === 'expired' ? 'expired' : 'void_pending';
}

/** Looks up the authorization and voids it, then expires the order and releases its stock. */
export function expireOrder(deps: ExpireDeps, order: Order): Promise<ExpireOutcome> {
  return withinTrace(order.traceparent, () => lookUpAndExpire(deps, order));
}

async function lookUpAndExpire(deps: ExpireDeps, order: Order): Promise<ExpireOutcome> {
  if (cardMinor(order) === 0) return recordEnd(deps, order, null);
  const found = await deps.payments.lookUp({ orderId: order.id, reference: null });
  if (found.kind === 'absent') return recordEnd(deps, order, null);
  if (found.kind === 'unknown' && found.notUnderstood) {
    return { kind: 'later', reason: 'not_understood' };
  }
  if (found.kind !== 'found') return { kind: 'later', reason: found.kind };
  const { reference, state } = found.payment;
  switch (state) {
    case 'declined':
      return recordEnd(deps, order, null);
    case 'voided':
      return recordEnd(deps, order, reference);
    case 'authorized':
      return voidAndExpire(deps, order, reference);
    case 'processing':
    case 'captured':
      return { kind: 'later', reason: state };
  }
}

/** Voids the authorization, after which the order can no longer be placed, and expires the order. */
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
    amount: { amountMinor: cardMinor(order), currency: order.currency },
  });
  if (outcome.kind !== 'done') return { kind: 'later', reason: 'void_not_done' };
  return recordEnd(deps, order, reference);
}

async function recordEnd(
  { db }: ExpireDeps,
  order: Order,
  voidedReference: string | null,
): Promise<ExpireOutcome> {
  await recordExpired(db, order, voidedReference);
  return { kind: 'expired' };
}
