/** Records that the warehouse has set a part of an order aside: what it has of it. */
import type { OrderId } from '../../domain/ids.ts';
import type { PartialOrder } from '../../domain/partial-order.ts';
import type { Database, Transaction } from '../client/client.ts';
import { holdReserved } from '../catalog/stock.ts';
import { giveBackUnspent } from '../credit/ledger.ts';
import { orderTransaction, transitionOrder, type TransitionOutcome } from './transition.ts';

/**
 * Order `reserved`, with less than was ordered: what is paid, store credit that is given back, and units
 * that others can buy, in one transaction.
 */
export async function recordPartReserved(
  db: Database,
  orderId: OrderId,
  part: PartialOrder,
): Promise<TransitionOutcome> {
  const { lines, charge, creditBackMinor } = part;
  return orderTransaction(db, orderId, async (tx) => {
    const change = await transitionOrder(tx, {
      orderId,
      type: 'order.reserved',
      to: 'reserved',
      endsAttention: true,
      data: {
        lines: lines.map(({ sku, quantity, reservedQuantity }) => ({
          sku,
          quantity,
          reserved_quantity: reservedQuantity,
        })),
        due_minor: charge.dueMinor,
        credit_returned_minor: creditBackMinor,
      },
    });
    if (change.kind !== 'changed') return change;
    await writePart(tx, orderId, part);
    await giveBackUnspent(tx, orderId, creditBackMinor);
    await holdReserved(tx, orderId, lines);
    return change;
  });
}

async function writePart(
  tx: Transaction,
  orderId: OrderId,
  { lines, charge }: PartialOrder,
): Promise<void> {
  const units = JSON.stringify(
    lines.map(({ sku, reservedQuantity }) => ({ sku, reservedQuantity })),
  );
  await tx.$executeRaw`
    WITH with_order AS (UPDATE orders SET due_minor = ${charge.dueMinor} WHERE id = ${orderId}),
    with_payment AS (
      UPDATE payments SET credit_minor = ${charge.creditMinor}, updated_at = now()
      WHERE order_id = ${orderId})
    UPDATE order_lines SET reserved_quantity = "reservedQuantity"
    FROM jsonb_to_recordset(${units}::jsonb) AS line (sku text, "reservedQuantity" integer)
    WHERE order_id = ${orderId} AND order_lines.sku = line.sku`;
}
