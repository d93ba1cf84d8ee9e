/**
 * The void of an order that is not placed: requested before the provider is called, and recorded with the
 * end of the order. What it voided is known only afterwards: the shopper may confirm the payment meanwhile.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import { cardMinor, type Order } from '../../domain/order.ts';
import type { Database, Transaction } from '../client/client.ts';
import type { PaymentOperationState } from '../generated/enums.ts';
import { settleAuthorization } from './authorizations.ts';
import { orderTransaction } from './transition.ts';

export interface VoidRequest {
  readonly reference: string;
  /** The order ends declined for this reason; null: expired. */
  readonly declineCode: string | null;
}

/** What the provider has voided. */
export interface Voided {
  readonly reference: string;
  /** False: the payment was never authorized, and the void only ended it. */
  readonly wasAuthorized: boolean;
}

/**
 * Records that the authorization is to be voided, and why. No attempt places the order afterwards
 * (`recordPlaced`): one whose statement began before this is refused, because the order's row has
 * changed. Returns the request that stands, which is the first. Null: the order is placed or declined
 * already, and its authorization must stay.
 */
export async function recordVoidRequested(
  db: Database,
  order: Order,
  request: VoidRequest,
): Promise<VoidRequest | null> {
  return orderTransaction(db, order.id, async (tx) => {
    const unplaced = await tx.$executeRaw`
      UPDATE orders SET checked_at = now()
      WHERE id = ${order.id} AND status IN ('pending', 'expired')`;
    if (unplaced === 0) return null;
    await writeVoid(tx, order, { ...request, state: 'requested', detail: request.declineCode });
    const key = providerKey(order.id, 'void');
    const first = await tx.paymentOperation.findFirst({ where: { key, state: 'requested' } });
    return { reference: request.reference, declineCode: first?.detail ?? null };
  });
}

/** The void that was requested and has no outcome yet; null when there is none. */
export async function findUnfinishedVoid(
  db: Database,
  orderId: OrderId,
): Promise<VoidRequest | null> {
  const key = providerKey(orderId, 'void');
  const operations = await db.paymentOperation.findMany({ where: { key } });
  if (operations.some(({ state }) => state !== 'requested')) return null;
  const [requested] = operations;
  if (!requested?.providerReference) return null;
  return { reference: requested.providerReference, declineCode: requested.detail };
}

/**
 * The payment after its void: `voided`, or, where nothing was authorized, `declined` for the reason
 * `code`.
 */
export async function writeVoided(
  tx: Transaction,
  order: Order,
  { reference, wasAuthorized, code }: Voided & { readonly code: string },
): Promise<void> {
  if (!wasAuthorized) {
    await settleAuthorization(tx, order, { state: 'refused', reference, code });
    await writeNothingVoided(tx, order, reference);
    return;
  }
  await settleAuthorization(tx, order, { state: 'succeeded', reference, code: null });
  await tx.payment.update({ where: { orderId: order.id }, data: { status: 'voided' } });
  await writeVoid(tx, order, { reference, state: 'requested', detail: null });
  await writeVoid(tx, order, { reference, state: 'succeeded', detail: null });
}

/** The void found no authorization: it has an outcome, and moved no money. */
export async function writeNothingVoided(
  tx: Transaction,
  order: Order,
  reference: string,
): Promise<void> {
  await writeVoid(tx, order, { reference, state: 'requested', detail: null });
  await writeVoid(tx, order, { reference, state: 'refused', detail: 'nothing_authorized' });
}

async function writeVoid(
  tx: Transaction,
  order: Order,
  written: {
    readonly reference: string;
    readonly state: PaymentOperationState;
    readonly detail: string | null;
  },
): Promise<void> {
  await tx.paymentOperation.createMany({
    data: [
      {
        orderId: order.id,
        key: providerKey(order.id, 'void'),
        kind: 'void',
        state: written.state,
        amountMinor: cardMinor(order),
        currency: order.currency,
        providerReference: written.reference,
        detail: written.detail,
      },
    ],
    skipDuplicates: true,
  });
}
