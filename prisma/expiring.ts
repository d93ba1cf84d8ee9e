/**
 * The end of a pending order nobody came back for: hold released, authorization let go. It asks no
 * provider; the caller has.
 */
import { providerKey } from '../domain/ids.ts';
import type { Order } from '../domain/order.ts';
import { changeOrder, orderTransaction } from './change.ts';
import type { Database, Transaction } from './client.ts';
import { settleAuthorization } from './placing.ts';
import { releaseHold } from './stock.ts';

/** Order `expired`, hold released. The caller has voided the authorization, if there was one. */
export async function recordExpired(
  db: Database,
  order: Order,
  voidedReference: string | null,
): Promise<void> {
  await orderTransaction(db, order.id, async (tx) => {
    const change = await changeOrder(tx, {
      orderId: order.id,
      type: 'order.expired',
      to: 'expired',
    });
    if (change.kind !== 'changed') return;
    if (voidedReference === null) {
      await settleAuthorization(tx, order, { state: 'refused', code: 'expired', reference: null });
    } else {
      await recordVoidedAuthorization(tx, order, voidedReference);
    }
    await releaseHold(tx, order.id);
  });
}

async function recordVoidedAuthorization(
  tx: Transaction,
  order: Order,
  reference: string,
): Promise<void> {
  await settleAuthorization(tx, order, { state: 'succeeded', reference, code: null });
  await tx.payment.update({ where: { orderId: order.id }, data: { status: 'voided' } });
  const row = {
    orderId: order.id,
    key: providerKey(order.id, 'void'),
    kind: 'void',
    amountMinor: order.totalMinor,
    currency: order.currency,
    providerReference: reference,
  };
  await tx.paymentOperation.createMany({
    data: ['requested', 'succeeded'].map((state) => ({ ...row, state })),
  });
}
