/**
 * Stock: units on hand, units held, and every movement. The rows of a cart are locked in the order of
 * the SKUs, so that two carts cannot deadlock: by their bytes, as JavaScript compares them, and not by the
 * collation of the database. Raw SQL compares two columns of a row, or changes and
 * returns rows in one statement by the database's clock.
 */
import type { OrderId, RefundId } from '../../domain/ids.ts';
import type { Shortage, Stock } from '../../domain/product.ts';
import type { Database, Transaction } from '../client/client.ts';
import { violatesConstraint } from '../client/errors.ts';
import { Prisma } from '../generated/client.ts';

export interface StockRequest {
  readonly sku: string;
  readonly quantity: number;
}

/** The check that refuses to hold more units than there are: it ends the whole statement. */
const HELD_WITHIN_ON_HAND = 'stock_held_within_on_hand';

/** Holds every line of the CTE `lines`, or fails the statement (`isStockShort`). */
export function linesHeld(): Prisma.Sql {
  return Prisma.sql`of_stock AS MATERIALIZED (${stockLocked('lines')}),
    with_stock AS (
      UPDATE stock SET held = held + quantity FROM of_stock WHERE stock.sku = of_stock.sku)`;
}

/** True when a statement failed because a line could not be held. */
export function isStockShort(error: unknown): boolean {
  return violatesConstraint(error, HELD_WITHIN_ON_HAND);
}

/** The stock rows of a CTE's SKUs, locked in the order of the SKUs. */
function stockLocked(of: 'lines' | 'units'): Prisma.Sql {
  const units = Prisma.raw(of);
  return Prisma.sql`
    SELECT stock.sku, quantity FROM stock JOIN ${units} USING (sku)
    ORDER BY stock.sku COLLATE "C" FOR UPDATE OF stock`;
}

/** Releases the units the order still holds. A second call changes nothing. */
export async function releaseHold(tx: Transaction, orderId: OrderId): Promise<boolean> {
  const released = await tx.$queryRaw<StockRequest[]>`
    UPDATE reservations SET status = 'released', updated_at = now()
    WHERE order_id = ${orderId} AND status IN ('held', 'reserved')
    RETURNING sku, quantity`;
  for (const { sku, quantity } of sorted(released)) {
    await tx.stock.updateMany({ where: { sku }, data: { held: { decrement: quantity } } });
  }
  return released.length > 0;
}

/**
 * Keeps of the units that the order holds only what the warehouse has reserved of each line, and releases
 * the others. A line of which there is nothing keeps its row, as released.
 */
export async function holdReserved(
  tx: Transaction,
  orderId: OrderId,
  lines: readonly (StockRequest & { readonly reservedQuantity: number })[],
): Promise<void> {
  for (const { sku, quantity, reservedQuantity } of sorted(lines)) {
    const [status, kept] =
      reservedQuantity === 0
        ? (['released', quantity] as const)
        : (['reserved', reservedQuantity] as const);
    await tx.$executeRaw`
      UPDATE reservations SET status = ${status}::reservation_status, quantity = ${kept},
        updated_at = now()
      WHERE order_id = ${orderId} AND sku = ${sku} AND status = 'held'`;
    const freed = quantity - reservedQuantity;
    await tx.stock.updateMany({ where: { sku }, data: { held: { decrement: freed } } });
  }
}

/**
 * Removes the units of the order that `moved`, each with its movement: CTEs of the statement that moves
 * the order.
 */
export function heldStockShipped(): Prisma.Sql {
  return Prisma.sql`, units AS (
      UPDATE reservations SET status = 'shipped', updated_at = now() FROM moved
      WHERE order_id = moved.id AND status IN ('held', 'reserved')
      RETURNING order_id, sku, quantity),
    of_stock AS MATERIALIZED (${stockLocked('units')}),
    with_stock AS (
      UPDATE stock SET on_hand = on_hand - quantity, held = held - quantity
      FROM of_stock WHERE stock.sku = of_stock.sku),
    with_movements AS (
      INSERT INTO stock_movements (sku, delta, kind, reason, order_id, actor)
      SELECT sku, -quantity, 'shipped', 'order shipped', order_id, 'checkout' FROM units)`;
}

/** Units of the order that left the stock and have not come back, by SKU. Call it under its lock. */
export async function findReturnable(
  tx: Transaction,
  orderId: OrderId,
): Promise<ReadonlyMap<string, number>> {
  const rows = await tx.$queryRaw<{ sku: string; units: number }[]>`
    SELECT sku, -sum(delta)::int AS units FROM stock_movements
    WHERE order_id = ${orderId} GROUP BY sku`;
  return new Map(rows.map(({ sku, units }) => [sku, units]));
}

/** Units that came back are on hand again, each with its movement, once per refund. */
export async function returnUnits(
  tx: Transaction,
  returned: {
    readonly refundId: RefundId;
    readonly orderId: OrderId;
    readonly lines: readonly StockRequest[];
    readonly actor: string;
  },
): Promise<void> {
  const { refundId, orderId, actor } = returned;
  await tx.$executeRaw`
    WITH units AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(returned.lines)}::jsonb)
        AS line (sku text, quantity integer)),
    of_stock AS MATERIALIZED (${stockLocked('units')}),
    with_stock AS (
      UPDATE stock SET on_hand = on_hand + quantity FROM of_stock WHERE stock.sku = of_stock.sku)
    INSERT INTO stock_movements (sku, delta, kind, reason, order_id, refund_id, actor)
    SELECT sku, quantity, 'returned', 'returned with a refund', ${orderId}, ${refundId}, ${actor}
    FROM units`;
}

/**
 * Why the lines could not be held, per short line. `held`: unpaid orders hold the missing units, which
 * may become available again. `gone`: they will not.
 */
export async function findShortages(
  db: Database,
  wanted: readonly StockRequest[],
): Promise<readonly Shortage[]> {
  const skus = wanted.map((line) => line.sku);
  const rows = await db.$queryRaw<{ sku: string; available: number; paying: number }[]>`
    SELECT s.sku, s.on_hand - s.held AS available, COALESCE((
      SELECT sum(r.quantity) FROM reservations r JOIN orders o ON o.id = r.order_id
      WHERE r.sku = s.sku AND r.status = 'held' AND o.status = 'pending'), 0)::int AS paying
    FROM stock s WHERE s.sku = ANY(${skus})`;
  return wanted.flatMap(({ sku, quantity }) => {
    const row = rows.find((each) => each.sku === sku) ?? { available: 0, paying: 0 };
    if (row.available >= quantity) return [];
    const cause = row.available + row.paying >= quantity ? 'held' : 'gone';
    return [{ sku, requested: quantity, available: row.available, cause }] as const;
  });
}

/** The stock of one product, or null when no such product exists. */
export async function findStock(db: Database, sku: string): Promise<Stock | null> {
  const row = await db.stock.findUnique({ where: { sku } });
  return row && { ...row, available: row.onHand - row.held };
}

export type AdjustOutcome =
  | { readonly kind: 'adjusted'; readonly stock: Stock }
  | { readonly kind: 'product_not_found' }
  /** The units are held for orders or not on hand; nothing was changed. */
  | { readonly kind: 'not_available'; readonly stock: Stock };

/** Adds or removes units, with a movement that names actor and reason. Never below the units held. */
export async function adjustStock(
  tx: Transaction,
  change: {
    readonly sku: string;
    readonly delta: number;
    readonly reason: string;
    readonly actor: string;
  },
): Promise<AdjustOutcome> {
  const { sku, delta } = change;
  const rows = await tx.$queryRaw<{ sku: string; onHand: number; held: number }[]>`
    UPDATE stock SET on_hand = on_hand + ${delta}
    WHERE sku = ${sku} AND on_hand::bigint + ${delta} BETWEEN held AND 2147483647
    RETURNING sku, on_hand AS "onHand", held`;
  const stock = rows[0];
  if (stock) {
    await tx.stockMovement.create({ data: { ...change, kind: 'adjusted' } });
    return { kind: 'adjusted', stock: { ...stock, available: stock.onHand - stock.held } };
  }
  const row = await tx.stock.findUnique({ where: { sku } });
  if (!row) return { kind: 'product_not_found' };
  return { kind: 'not_available', stock: { ...row, available: row.onHand - row.held } };
}

function sorted<T extends StockRequest>(wanted: readonly T[]): readonly T[] {
  return wanted.toSorted((a, b) => (a.sku < b.sku ? -1 : 1));
}
