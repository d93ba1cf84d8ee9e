/**
 * The expiry of an abandoned pending order: stock released, authorization voided. It does not call the
 * provider; the caller does, between the intent and its outcome.
 */
import { providerKey } from '../../domain/ids.ts';
import { cardMinor, type Order } from '../../domain/order.ts';
import { transitionOrder, orderTransaction } from './transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { deleteRunningKey, type KeyClaim } from '../access/idempotency.ts';
import { settleAuthorization } from './authorizations.ts';
import { giveBackCredit } from '../credit/ledger.ts';
import { releaseHold } from '../catalog/stock.ts';

/**
 * Records that the authorization is to be voided. No attempt places the order afterwards
 * (`recordPlaced`): one whose statement began before this is refused, because the order's row has
 * changed. False: it is placed already, and its authorization must stay.
 */
export async function recordVoidRequested(
  db: Database,
  order: Order,
  reference: string,
): Promise<boolean> {
  return orderTransaction(db, order.id, async (tx) => {
    const unplaced = await tx.$executeRaw`
      UPDATE orders SET checked_at = now()
      WHERE id = ${order.id} AND status IN ('pending', 'expired')`;
    if (unplaced === 0) return false;
    await writeVoid(tx, order, { reference, states: ['requested'] });
    return true;
  });
}

/** The authorization whose void was requested and has no outcome yet; null when there is none. */
export async function findUnfinishedVoid(db: Database, order: Order): Promise<string | null> {
  const key = providerKey(order.id, 'void');
  const operations = await db.paymentOperation.findMany({ where: { key } });
  if (operations.some(({ state }) => state !== 'requested')) return null;
  return operations[0]?.providerReference ?? null;
}

/**
 * Order `expired`, stock released. The caller has voided the authorization, if there was one; also one
 * that was found after the order had expired without it.
 */
export async function recordExpired(
  db: Database,
  order: Order,
  voidedReference: string | null,
): Promise<void> {
  await orderTransaction(db, order.id, async (tx) => {
    const { id: orderId } = order;
    const change = await transitionOrder(tx, { orderId, type: 'order.expired', to: 'expired' });
    if (change.kind === 'already' && voidedReference !== null) {
      const recordedDeclined = await tx.payment.count({ where: { orderId, status: 'declined' } });
      if (recordedDeclined === 1) await writeVoided(tx, order, voidedReference);
    }
    if (change.kind !== 'changed') return;
    if (voidedReference === null) {
      await settleAuthorization(tx, order, { state: 'refused', code: 'expired', reference: null });
    } else {
      await writeVoided(tx, order, voidedReference);
    }
    await giveBackCredit(tx, orderId);
    await releaseHold(tx, orderId);
  });
}

/**
 * Order `expired`, stock released, its key deleted: its only attempt did nothing at the provider, and a
 * retry opens another order.
 */
export async function recordWithdrawn(db: Database, order: Order, claim: KeyClaim): Promise<void> {
  await orderTransaction(db, order.id, async (tx) => {
    const { id: orderId } = order;
    const change = await transitionOrder(tx, { orderId, type: 'order.expired', to: 'expired' });
    if (change.kind !== 'changed') return;
    await settleAuthorization(tx, order, { state: 'refused', code: NOT_ASKED, reference: null });
    await giveBackCredit(tx, orderId);
    await releaseHold(tx, orderId);
    await deleteRunningKey(tx, claim);
  });
}

/** Known to the invariant `responses_stored`: such an order has no key. */
const NOT_ASKED = 'provider_not_asked';

async function writeVoided(tx: Transaction, order: Order, reference: string): Promise<void> {
  await settleAuthorization(tx, order, { state: 'succeeded', reference, code: null });
  await tx.payment.update({ where: { orderId: order.id }, data: { status: 'voided' } });
  await writeVoid(tx, order, { reference, states: ['requested', 'succeeded'] });
}

async function writeVoid(
  tx: Transaction,
  order: Order,
  written: { readonly reference: string; readonly states: readonly ('requested' | 'succeeded')[] },
): Promise<void> {
  const row = {
    orderId: order.id,
    key: providerKey(order.id, 'void'),
    kind: 'void' as const,
    amountMinor: cardMinor(order),
    currency: order.currency,
    providerReference: written.reference,
  };
  await tx.paymentOperation.createMany({
    data: written.states.map((state) => ({ ...row, state })),
    skipDuplicates: true,
  });
}
