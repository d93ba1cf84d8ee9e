/**
 * The expiry of an abandoned pending order: stock released, authorization voided. It does not call the
 * provider; the caller does, between the intent (voids.ts) and its outcome.
 */
import type { Order } from '../../domain/order.ts';
import { transitionOrder, orderTransaction } from './transition.ts';
import type { Database } from '../client/client.ts';
import { deleteRunningKey, type KeyClaim } from '../access/idempotency.ts';
import { settleAuthorization } from './authorizations.ts';
import { giveBackCredit } from '../credit/ledger.ts';
import { releaseHold } from '../catalog/stock.ts';
import { writeNothingVoided, writeVoided, type Voided } from './voids.ts';

/**
 * Order `expired`, stock released. The caller has voided the payment, if there was one; also one that was
 * found after the order had expired without it. The event says whether the order waited for its shopper.
 */
export async function recordExpired(
  db: Database,
  order: Order,
  voided: Voided | null,
): Promise<void> {
  await orderTransaction(db, order.id, async (tx) => {
    const { id: orderId } = order;
    const waiting = await tx.payment.count({ where: { orderId, status: 'requires_action' } });
    const change = await transitionOrder(tx, {
      orderId,
      type: 'order.expired',
      to: 'expired',
      data: waiting === 0 ? {} : { cause: 'payment_action' },
    });
    if (change.kind === 'already' && voided !== null) {
      const recordedDeclined = await tx.payment.count({ where: { orderId, status: 'declined' } });
      if (!voided.wasAuthorized) await writeNothingVoided(tx, order, voided.reference);
      else if (recordedDeclined === 1) await writeVoided(tx, order, { ...voided, code: EXPIRED });
    }
    if (change.kind !== 'changed') return;
    if (voided === null) {
      await settleAuthorization(tx, order, { state: 'refused', code: EXPIRED, reference: null });
    } else {
      await writeVoided(tx, order, { ...voided, code: EXPIRED });
    }
    await giveBackCredit(tx, orderId);
    await releaseHold(tx, orderId);
  });
}

const EXPIRED = 'expired';

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
