/** The product catalog. Prices beside a product's own change with its version, under the lock of its row. */
import type { Price, Product } from '../../domain/product.ts';
import { ACCENTS, plain } from '../../domain/search-terms.ts';
import type { Database, Transaction } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import { recordAction, type Operator } from '../access/operator-actions.ts';

/** The product, or null. */
export async function findProduct(db: Database, sku: string): Promise<Product | null> {
  const prices = {
    select: { currency: true, priceMinor: true },
    orderBy: { currency: 'asc' },
  } as const;
  const row = await db.product.findUnique({ where: { sku }, include: { prices } });
  return row && toProduct(row);
}

/** A product with the units that no order holds, as of one moment. */
export interface Offer extends Product {
  readonly available: number;
}

/** The products among the given SKUs, in no particular order. Raw: one statement joins the stock. */
export async function findOffers(db: Database, skus: readonly string[]): Promise<readonly Offer[]> {
  const rows = await db.$queryRaw<(ProductRow & { available: number })[]>`
    SELECT ${PRODUCT_COLUMNS}, ${PRICES}, on_hand - held AS available
    FROM products JOIN stock USING (sku) WHERE sku = ANY(${skus})`;
  return rows.map((row) => ({ ...toProduct(row), available: row.available }));
}

/** Which archived products are listed. */
export const ARCHIVED = ['false', 'true', 'any'] as const;

export interface ProductPageQuery {
  readonly limit: number;
  readonly startingAfter?: string | undefined;
  /** Only products that are not archived, which is the default, only archived ones, or both. */
  readonly archived?: (typeof ARCHIVED)[number] | undefined;
  /** Only products with each of its words in their name or SKU; case and accents do not matter. */
  readonly q?: string | undefined;
}

/** As `plain` has it. The locale of the database says what lower case is, beyond Latin ones. */
const SEARCHED = Prisma.sql`lower(regexp_replace(normalize(name || ' ' || sku, NFKD),
  ${ACCENTS}::text, '', 'g'))`;

/** One page in SKU order, after `startingAfter`. Raw: a search for parts of words. */
export async function listProducts(
  db: Database,
  { limit, startingAfter = '', archived = 'false', q }: ProductPageQuery,
): Promise<{ readonly products: readonly Product[]; readonly hasMore: boolean }> {
  const isWanted =
    archived === 'any' ? Prisma.empty : Prisma.sql`AND archived = ${archived === 'true'}`;
  const hasWords =
    q === undefined
      ? Prisma.empty
      : Prisma.sql`AND NOT EXISTS (SELECT FROM unnest(${plain(q).split(' ')}::text[]) AS word
          WHERE strpos(${SEARCHED}, word) = 0)`;
  const rows = await db.$queryRaw<ProductRow[]>`
    SELECT ${PRODUCT_COLUMNS}, ${PRICES} FROM products
    WHERE sku > ${startingAfter} ${isWanted} ${hasWords}
    ORDER BY sku LIMIT ${limit + 1}`;
  return { products: rows.slice(0, limit).map(toProduct), hasMore: rows.length > limit };
}

export interface ProductDraft {
  readonly sku: string;
  readonly name: string;
  readonly description: string | null;
  readonly priceMinor: number;
  readonly currency: string;
  /** In other currencies, each once. */
  readonly prices: readonly Price[];
}

export type PutOutcome =
  | { readonly kind: 'created' | 'updated'; readonly product: Product }
  /** The product is not at `expectedVersion`; nothing was written. */
  | { readonly kind: 'version_mismatch'; readonly currentVersion: number | null };

/**
 * Creates the product without stock, or replaces its fields. `expectedVersion`: the only version to
 * replace; 0 when the product must not exist yet; null for any.
 */
export async function putProduct(
  db: Database,
  draft: ProductDraft,
  { expectedVersion, by }: { readonly expectedVersion: number | null; readonly by: Operator },
): Promise<PutOutcome> {
  return db.$transaction(async (tx) => {
    const row =
      expectedVersion === null || expectedVersion === 0
        ? await addOrReplace(tx, draft, { replaces: expectedVersion === null })
        : await replaceAt(tx, draft, expectedVersion);
    if (row === null) return versionMismatch(tx, draft.sku);
    await replacePrices(tx, draft, row);
    const { sku: subject, priceMinor, currency, version } = row;
    const kind = version === 1 ? 'created' : 'updated';
    const data = { price_minor: priceMinor, currency, ...pricesAudited(draft.prices), version };
    await recordAction(tx, by, { action: `product.${kind}`, subject, data });
    return { kind, product: toProduct({ ...row, prices: byCurrency(draft.prices) }) };
  });
}

/** The row of the product is locked. */
async function replacePrices(
  tx: Transaction,
  { sku, prices }: ProductDraft,
  { version }: WrittenRow,
): Promise<void> {
  if (version > 1) await tx.productPrice.deleteMany({ where: { sku } });
  if (prices.length === 0) return;
  await tx.productPrice.createMany({ data: prices.map((price) => ({ sku, ...price })) });
}

/** What the audit log says of prices in other currencies: nothing when there are none. */
export function pricesAudited(prices: readonly { currency: string; priceMinor: number | null }[]) {
  return (
    prices.length > 0 && {
      prices: prices.map(({ currency, priceMinor }) => ({ currency, price_minor: priceMinor })),
    }
  );
}

function byCurrency(prices: readonly Price[]): readonly Price[] {
  return prices.toSorted((a, b) => (a.currency < b.currency ? -1 : 1));
}

/** Raw: one statement decides, so of concurrent calls one adds the product and the others replace it. */
async function addOrReplace(
  tx: Transaction,
  draft: ProductDraft,
  { replaces }: { readonly replaces: boolean },
): Promise<WrittenRow | null> {
  const { sku, name, description, priceMinor, currency } = draft;
  const [row] = await tx.$queryRaw<WrittenRow[]>`
    INSERT INTO products AS existing (sku, name, description, price_minor, currency)
    VALUES (${sku}, ${name}, ${description}, ${priceMinor}, ${currency})
    ON CONFLICT (sku) DO UPDATE SET name = EXCLUDED.name, description = EXCLUDED.description,
      price_minor = EXCLUDED.price_minor, currency = EXCLUDED.currency,
      version = existing.version + 1, updated_at = now()
      WHERE ${replaces}
    RETURNING ${PRODUCT_COLUMNS}`;
  if (row?.version === 1) await tx.stock.create({ data: { sku } });
  return row ?? null;
}

async function replaceAt(
  tx: Transaction,
  { sku, name, description, priceMinor, currency }: ProductDraft,
  expectedVersion: number,
): Promise<WrittenRow | null> {
  // Raw for the database's clock.
  const [row] = await tx.$queryRaw<WrittenRow[]>`
    UPDATE products SET name = ${name}, description = ${description}, price_minor = ${priceMinor},
      currency = ${currency}, version = version + 1, updated_at = now()
    WHERE sku = ${sku} AND version = ${expectedVersion} RETURNING ${PRODUCT_COLUMNS}`;
  return row ?? null;
}

/**
 * Archives the product, or brings it back, at `expectedVersion`; null for any. Orders that have it
 * already continue.
 */
export async function archiveProduct(
  db: Database,
  { sku, archived }: Pick<Product, 'sku' | 'archived'>,
  { expectedVersion, by }: { readonly expectedVersion: number | null; readonly by: Operator },
): Promise<PutOutcome> {
  const isAtVersion =
    expectedVersion === null ? Prisma.empty : Prisma.sql`AND version = ${expectedVersion}`;
  return db.$transaction(async (tx) => {
    const [row] = await tx.$queryRaw<ProductRow[]>`
      UPDATE products SET archived = ${archived}, version = version + 1, updated_at = now()
      WHERE sku = ${sku} ${isAtVersion} RETURNING ${PRODUCT_COLUMNS}, ${PRICES}`;
    if (!row) return versionMismatch(tx, sku);
    const action = archived ? 'product.archived' : 'product.restored';
    await recordAction(tx, by, { action, subject: sku, data: { version: row.version } });
    return { kind: 'updated', product: toProduct(row) };
  });
}

async function versionMismatch(
  tx: Transaction,
  sku: string,
): Promise<PutOutcome & { kind: 'version_mismatch' }> {
  const current = await tx.product.findUnique({ where: { sku }, select: { version: true } });
  return { kind: 'version_mismatch', currentVersion: current?.version ?? null };
}

type WrittenRow = Prisma.ProductGetPayload<object>;

interface ProductRow extends WrittenRow {
  readonly prices: readonly Price[];
}

const PRODUCT_COLUMNS = Prisma.sql`sku, name, description, price_minor AS "priceMinor", currency,
  version, archived, created_at AS "createdAt", updated_at AS "updatedAt"`;

/** Of the row of `products`. */
const PRICES = Prisma.sql`(
  SELECT COALESCE(jsonb_agg(jsonb_build_object('currency', price.currency, 'priceMinor',
    price.price_minor) ORDER BY price.currency), '[]')
  FROM product_prices price WHERE price.sku = products.sku) AS prices`;

function toProduct(row: ProductRow): Product {
  const { createdAt: _, ...product } = row;
  return { ...product, updatedAt: row.updatedAt.toISOString() };
}
