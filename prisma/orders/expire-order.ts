/**
 * The end of a pending order nobody came back for: hold released, authorization let go. It asks no
 * provider; the caller does, between the intent and its outcome.
 */
import { providerKey } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import { transitionOrder, orderTransaction } from './transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { settleAuthorization } from './place-order.ts';
import { releaseHold } from '../catalog/stock.ts';

/**
 * Writes down that the authorization is to be voided. From then on no try places the order
 * (`recordPlaced`). False: it is placed already, and its money is not to be touched.
 */
export async function recordVoidRequested(
  db: Database,
  order: Order,
  reference: string,
): Promise<boolean> {
  return orderTransaction(db, order.id, async (tx) => {
    const unplaced = await tx.order.count({
      where: { id: order.id, status: { in: ['pending', 'expired'] } },
    });
    if (unplaced === 0) return false;
    await writeVoid(tx, order, { reference, states: ['requested'] });
    return true;
  });
}

/** What is written down as to be voided for this order and not known to be; null when nothing is. */
export async function findUnfinishedVoid(db: Database, order: Order): Promise<string | null> {
  const key = providerKey(order.id, 'void');
  const operations = await db.paymentOperation.findMany({ where: { key } });
  if (operations.some(({ state }) => state !== 'requested')) return null;
  return operations[0]?.providerReference ?? null;
}

/**
 * Order `expired`, hold released. The caller has voided the authorization, if there was one; also
 * one that came to light after the order had expired without.
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
      const believed = await tx.payment.count({ where: { orderId, status: 'declined' } });
      if (believed === 1) await writeVoided(tx, order, voidedReference);
    }
    if (change.kind !== 'changed') return;
    if (voidedReference === null) {
      await settleAuthorization(tx, order, { state: 'refused', code: 'expired', reference: null });
    } else {
      await writeVoided(tx, order, voidedReference);
    }
    await releaseHold(tx, orderId);
  });
}

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
    amountMinor: order.totalMinor,
    currency: order.currency,
    providerReference: written.reference,
  };
  await tx.paymentOperation.createMany({
    data: written.states.map((state) => ({ ...row, state })),
    skipDuplicates: true,
  });
}
