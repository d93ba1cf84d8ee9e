/** The outcome of an order's authorization, on its payment and as an operation. */
import { providerKey } from '../../domain/ids.ts';
import { cardMinor, type Order } from '../../domain/order.ts';
import type { Transaction } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';

interface Authorization {
  readonly state: 'succeeded' | 'refused';
  readonly reference: string | null;
  readonly code: string | null;
  readonly captureBefore?: string | null;
}

/** Records the outcome of the authorization on the payment and as an operation. */
export async function settleAuthorization(
  tx: Transaction,
  order: Order,
  settled: Authorization,
): Promise<void> {
  await tx.$executeRaw`
    WITH moved AS (SELECT id FROM orders WHERE id = ${order.id})
    ${authorizationWrites(order, settled)} SELECT`;
}

/** The same as CTEs that read the order's id from `moved`. */
export function authorizationWrites(order: Order, settled: Authorization): Prisma.Sql {
  const { state, reference, code, captureBefore = null } = settled;
  const status = state === 'succeeded' ? 'authorized' : 'declined';
  return Prisma.sql`, with_payment AS (
      UPDATE payments SET status = ${status},
        provider_reference = COALESCE(${reference}, provider_reference),
        decline_code = ${code}, capture_before = ${captureBefore}::timestamptz, updated_at = now()
      FROM moved WHERE order_id = moved.id),
    with_operation AS (
      INSERT INTO payment_operations
        (order_id, key, kind, state, amount_minor, currency, provider_reference, detail)
      SELECT id, ${providerKey(order.id, 'authorize')}, 'authorize', ${state},
        ${cardMinor(order)}, ${order.currency}, ${reference}, ${code} FROM moved
      WHERE ${cardMinor(order)} > 0)`;
}
