/**
 * The end of a pending order nobody finished. Two rules keep it apart from a retry: a retry may
 * place an order only before its deadline, and nobody expires one until the longest try that began
 * in time has ended.
 */
import { providerKey } from '../domain/ids.ts';
import type { Order } from '../domain/order.ts';
import type { PaymentGateway } from '../gateways/payments.ts';
import type { Database } from '../prisma/client.ts';
import { recordExpired } from '../prisma/expiring.ts';
import { PENDING_DEADLINE_MS } from '../prisma/placing.ts';

export interface ExpireDeps {
  readonly db: Database;
  readonly payments: PaymentGateway;
}

/** True when no try may place the order any more. */
export function isOverdue(order: Order): boolean {
  return Date.now() > Date.parse(order.createdAt) + PENDING_DEADLINE_MS;
}

export type ExpireOutcome =
  | { readonly kind: 'expired' }
  /** Nobody could say what became of the money; the next pass asks again. */
  | { readonly kind: 'later'; readonly reason: string };

/** Finds out about the authorization, lets it go, then ends the order and its hold. */
export async function expireOrder(deps: ExpireDeps, order: Order): Promise<ExpireOutcome> {
  const found = await deps.payments.lookUp({ orderId: order.id, reference: null });
  if (found.kind === 'absent') return end(deps, order, null);
  if (found.kind !== 'found') return { kind: 'later', reason: found.kind };
  const { reference, state } = found.payment;
  switch (state) {
    case 'declined':
      return end(deps, order, null);
    case 'voided':
      return end(deps, order, reference);
    case 'authorized': {
      const released = await letAuthorizationGo(deps, order, reference);
      return released ? end(deps, order, reference) : { kind: 'later', reason: 'void_not_done' };
    }
    case 'processing':
    case 'captured':
      return { kind: 'later', reason: state };
  }
}

/** Voids the authorization of an order that will not be placed. False: not known to be done. */
export async function letAuthorizationGo(
  { payments }: Pick<ExpireDeps, 'payments'>,
  order: Order,
  reference: string,
): Promise<boolean> {
  const outcome = await payments.voidAuthorization({
    key: providerKey(order.id, 'void'),
    orderId: order.id,
    reference,
    amount: { amountMinor: order.totalMinor, currency: order.currency },
  });
  return outcome.kind === 'done';
}

async function end(
  { db }: ExpireDeps,
  order: Order,
  voidedReference: string | null,
): Promise<ExpireOutcome> {
  await recordExpired(db, order, voidedReference);
  return { kind: 'expired' };
}
