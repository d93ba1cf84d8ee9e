/** Our records of one payment, to compare with a webhook of the provider. */
import type { OrderId } from '../../domain/ids.ts';
import type { Database } from '../client/client.ts';
import { uncheckedColumn } from '../client/columns.ts';
import type { PaymentOperationKind, PaymentOperationState } from '../generated/enums.ts';

export interface OperationRecord {
  readonly kind: PaymentOperationKind;
  readonly state: PaymentOperationState;
}

export interface PaymentHistory {
  readonly orderId: OrderId;
  readonly providerReference: string | null;
  /** Refunded, and requested but not settled. */
  readonly refundedMinor: number;
  readonly refundingMinor: number;
  readonly operations: readonly OperationRecord[];
}

/** By the provider's reference if it is known, else by the order. Null: not a payment of ours. */
export async function findPaymentHistory(
  db: Database,
  named: { readonly orderId: OrderId | null; readonly reference: string | null },
): Promise<PaymentHistory | null> {
  const { orderId, reference } = named;
  const rows = await db.payment.findMany({
    where: {
      OR: [
        ...(reference === null ? [] : [{ providerReference: reference }]),
        ...(orderId === null ? [] : [{ orderId }]),
      ],
    },
    include: { order: { select: { operations: { select: { kind: true, state: true } } } } },
  });
  const row = rows.find((each) => each.providerReference === reference) ?? rows[0];
  if (row === undefined) return null;
  const { providerReference, refundedMinor, refundingMinor } = row;
  return {
    orderId: uncheckedColumn<OrderId>(row.orderId),
    providerReference,
    refundedMinor,
    refundingMinor,
    operations: row.order.operations,
  };
}
