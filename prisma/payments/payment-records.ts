/** What our books say about one payment at the provider, for whoever compares them with its word. */
import type { OrderId } from '../../domain/ids.ts';
import type { Database } from '../client/client.ts';
import { trusted } from '../client/cast.ts';
import type { PaymentOperationKind, PaymentOperationState } from '../generated/enums.ts';

export interface OperationRecord {
  readonly kind: PaymentOperationKind;
  readonly state: PaymentOperationState;
}

export interface PaymentHistory {
  readonly orderId: OrderId;
  readonly providerReference: string | null;
  /** Given back, and on its way back. */
  readonly refundedMinor: number;
  readonly refundingMinor: number;
  readonly operations: readonly OperationRecord[];
}

/** By the provider's reference if we know it, else by the order. Null: it is no payment of ours. */
export async function findPaymentHistory(
  db: Database,
  named: { readonly orderId: OrderId | null; readonly reference: string | null },
): Promise<PaymentHistory | null> {
  const { orderId, reference } = named;
  const rows = await db.$queryRaw<(Omit<PaymentHistory, 'operations'> & { operations: unknown })[]>`
    SELECT p.order_id AS "orderId", p.provider_reference AS "providerReference",
      p.refunded_minor AS "refundedMinor", p.refunding_minor AS "refundingMinor", (
      SELECT COALESCE(jsonb_agg(jsonb_build_object('kind', o.kind, 'state', o.state)), '[]')
      FROM payment_operations o WHERE o.order_id = p.order_id) AS operations
    FROM payments p
    WHERE p.provider_reference = ${reference} OR p.order_id = ${orderId}
    ORDER BY p.provider_reference IS NOT DISTINCT FROM ${reference}::text DESC LIMIT 1`;
  const row = rows[0];
  return row ? { ...row, operations: trusted<readonly OperationRecord[]>(row.operations) } : null;
}
