/** Our records of one payment, to compare with a webhook of the provider. */
import type { OrderId } from '../../domain/ids.ts';
import type { Database } from '../client/client.ts';
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

interface NamedPayment {
  readonly orderId: OrderId | null;
  readonly reference: string | null;
}

/**
 * Loads the payments that are named. The result finds one of them, by the provider's reference if it is
 * known, else by the order. Null: not a payment of ours. Raw: one SQL text for any number of payments.
 */
export async function loadPaymentHistories(
  db: Database,
  named: readonly NamedPayment[],
): Promise<(one: NamedPayment) => PaymentHistory | null> {
  const references = named.flatMap(({ reference }) => reference ?? []);
  const orderIds = named.flatMap(({ orderId }) => orderId ?? []);
  const histories = await db.$queryRaw<PaymentHistory[]>`
    SELECT order_id AS "orderId", provider_reference AS "providerReference",
      refunded_minor AS "refundedMinor", refunding_minor AS "refundingMinor", COALESCE((
        SELECT jsonb_agg(jsonb_build_object('kind', kind, 'state', state))
        FROM payment_operations o WHERE o.order_id = payments.order_id), '[]') AS operations
    FROM payments
    WHERE provider_reference = ANY (${references}::text[]) OR order_id = ANY (${orderIds}::text[])`;
  const byReference = new Map(histories.map((each) => [each.providerReference, each]));
  const byOrder = new Map(histories.map((each) => [each.orderId, each]));
  return ({ reference, orderId }) =>
    (reference === null ? undefined : byReference.get(reference)) ??
    (orderId === null ? undefined : byOrder.get(orderId)) ??
    null;
}
