/**
 * A batch of imported rows, applied in the caller's transaction. A row that changes nothing writes nothing: a
 * file imported again leaves versions and movements as they are. Rows are locked in the order of their SKUs,
 * like the lines of a cart. Raw SQL: one statement for all rows, by the database's clock.
 */
import { recordActions, type Operator } from '../access/operator-actions.ts';
import type { Transaction } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import { pricesAudited, type ProductDraft } from './products.ts';

/** A row of products. Prices in other currencies that it does not name stay; null removes one. */
export interface ImportedProduct extends Omit<ProductDraft, 'prices'> {
  readonly prices: readonly { readonly currency: string; readonly priceMinor: number | null }[];
}

interface WrittenProduct {
  readonly sku: string;
  readonly priceMinor: number;
  readonly currency: string;
  readonly version: number;
}

/** Creates or replaces the products, each SKU once. Returns how many were changed. */
export async function importProducts(
  tx: Transaction,
  drafts: readonly ImportedProduct[],
  by: Operator,
): Promise<number> {
  const rows = JSON.stringify(drafts);
  const written = await tx.$queryRaw<WrittenProduct[]>`
    WITH ${wantedPrices(rows)}, written AS (
      INSERT INTO products AS existing (sku, name, description, price_minor, currency)
      SELECT sku, name, description, "priceMinor", currency
      FROM jsonb_to_recordset(${rows}::jsonb)
        AS draft (sku text, name text, description text, "priceMinor" integer, currency text)
      ORDER BY sku
      ON CONFLICT (sku) DO UPDATE SET name = EXCLUDED.name, description = EXCLUDED.description,
        price_minor = EXCLUDED.price_minor, currency = EXCLUDED.currency,
        version = existing.version + 1, updated_at = now()
        WHERE (existing.name, existing.description, existing.price_minor, existing.currency)
          IS DISTINCT FROM
          (EXCLUDED.name, EXCLUDED.description, EXCLUDED.price_minor, EXCLUDED.currency)
          OR EXISTS (
            SELECT FROM wanted LEFT JOIN product_prices price USING (sku, currency)
            WHERE sku = EXCLUDED.sku AND price.price_minor IS DISTINCT FROM wanted.minor)
      RETURNING sku, price_minor, currency, version),
    with_stock AS (INSERT INTO stock (sku) SELECT sku FROM written WHERE version = 1)
    SELECT sku, price_minor AS "priceMinor", currency, version FROM written`;
  const changed = new Set(written.map(({ sku }) => sku));
  await writePrices(
    tx,
    drafts.filter(({ sku }) => changed.has(sku)),
  );
  const pricesOf = new Map(drafts.map(({ sku, prices }) => [sku, pricesAudited(prices)]));
  const actions = written.map(({ sku: subject, priceMinor, currency, version }) => ({
    action: version === 1 ? 'product.created' : 'product.updated',
    subject,
    data: { price_minor: priceMinor, currency, ...pricesOf.get(subject), version },
  }));
  await recordActions(tx, by, actions);
  return written.length;
}

/** The prices in other currencies of the rows, as the CTE `wanted`. */
function wantedPrices(rows: string): Prisma.Sql {
  return Prisma.sql`wanted AS (
    SELECT draft.sku, price.currency, price."priceMinor" AS minor
    FROM jsonb_to_recordset(${rows}::jsonb) AS draft (sku text, prices jsonb),
      jsonb_to_recordset(draft.prices) AS price (currency text, "priceMinor" integer))`;
}

/**
 * A statement of its own: the rows of the products are locked, and it sees what was committed before.
 * A price in the currency that is the product's own now is removed, too.
 */
async function writePrices(tx: Transaction, drafts: readonly ImportedProduct[]): Promise<void> {
  await tx.$executeRaw`
    WITH ${wantedPrices(JSON.stringify(drafts))}, removed AS (
      DELETE FROM product_prices price USING products product
      WHERE price.sku = product.sku AND product.sku = ANY(${drafts.map(({ sku }) => sku)})
        AND (price.currency = product.currency OR (price.sku, price.currency) IN (
          SELECT sku, currency FROM wanted WHERE minor IS NULL)))
    INSERT INTO product_prices (sku, currency, price_minor)
    SELECT sku, currency, minor FROM wanted WHERE minor IS NOT NULL
    ON CONFLICT (sku, currency) DO UPDATE SET price_minor = EXCLUDED.price_minor`;
}

/** The units of a product as they were counted. */
export interface CountedStock {
  readonly sku: string;
  readonly onHand: number;
}

/** Why a count is not applied; `held`: more units than were counted are held for orders. */
export type StockRefusal =
  | { readonly sku: string; readonly kind: 'product_not_found' }
  | { readonly sku: string; readonly kind: 'held'; readonly held: number };

/**
 * Sets the units on hand, each SKU once. The difference to before is a movement with that reason. Returns the
 * counts that cannot be applied. `dryRun`: changes nothing.
 */
export async function importStock(
  tx: Transaction,
  counts: readonly CountedStock[],
  how: { readonly by: Operator; readonly reason: string; readonly dryRun: boolean },
): Promise<readonly StockRefusal[]> {
  const skus = counts.map(({ sku }) => sku);
  const lock = how.dryRun ? Prisma.empty : Prisma.sql`FOR UPDATE`;
  const rows = await tx.$queryRaw<{ sku: string; onHand: number; held: number }[]>`
    SELECT sku, on_hand AS "onHand", held FROM stock WHERE sku = ANY(${skus})
    ORDER BY sku COLLATE "C" ${lock}`;
  const stock = new Map(rows.map((row) => [row.sku, row]));
  const refusals = counts.flatMap(({ sku, onHand }): readonly StockRefusal[] => {
    const row = stock.get(sku);
    if (row === undefined) return [{ sku, kind: 'product_not_found' }];
    return onHand < row.held ? [{ sku, kind: 'held', held: row.held }] : [];
  });
  const refused = new Set(refusals.map(({ sku }) => sku));
  const movements = counts.flatMap(({ sku, onHand }) => {
    const delta = onHand - (stock.get(sku)?.onHand ?? onHand);
    return delta === 0 || refused.has(sku) ? [] : [{ sku, delta }];
  });
  if (!how.dryRun) await moveStock(tx, movements, how);
  return refusals;
}

/** Of rows that the transaction has locked. */
async function moveStock(
  tx: Transaction,
  movements: readonly { readonly sku: string; readonly delta: number }[],
  { by, reason }: { readonly by: Operator; readonly reason: string },
): Promise<void> {
  await tx.$executeRaw`
    WITH movement AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(movements)}::jsonb)
        AS each (sku text, delta integer)),
    moved AS (
      UPDATE stock SET on_hand = on_hand + delta FROM movement WHERE stock.sku = movement.sku)
    INSERT INTO stock_movements (sku, delta, kind, reason, actor)
    SELECT sku, delta, 'adjusted', ${reason}, ${by.apiKeyId} FROM movement`;
  const actions = movements.map(({ sku: subject, delta }) => ({
    action: 'stock.adjusted',
    subject,
    data: { delta },
  }));
  await recordActions(tx, by, actions);
}
