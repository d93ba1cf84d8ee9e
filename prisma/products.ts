/** The catalogue. */
import type { Product } from '../domain/product.ts';
import type { Database } from './client.ts';
import type { Prisma } from './generated/client.ts';

/** The product, or null. */
export async function findProduct(db: Database, sku: string): Promise<Product | null> {
  const row = await db.product.findUnique({ where: { sku } });
  return row && toProduct(row);
}

/** The products among the given SKUs, in no particular order. */
export async function findProducts(
  db: Database,
  skus: readonly string[],
): Promise<readonly Product[]> {
  const rows = await db.product.findMany({ where: { sku: { in: [...skus] } } });
  return rows.map(toProduct);
}

/** One page in SKU order, after `startingAfter`. */
export async function listProducts(
  db: Database,
  page: { readonly limit: number; readonly startingAfter?: string | undefined },
): Promise<{ readonly products: readonly Product[]; readonly hasMore: boolean }> {
  const rows = await db.product.findMany({
    where: page.startingAfter === undefined ? {} : { sku: { gt: page.startingAfter } },
    orderBy: { sku: 'asc' },
    take: page.limit + 1,
  });
  return { products: rows.slice(0, page.limit).map(toProduct), hasMore: rows.length > page.limit };
}

export interface ProductDraft {
  readonly sku: string;
  readonly name: string;
  readonly description: string | null;
  readonly priceMinor: number;
  readonly currency: string;
}

export type PutOutcome =
  | { readonly kind: 'created' | 'updated'; readonly product: Product }
  /** The product is not at `expectedVersion`; nothing was written. */
  | { readonly kind: 'version_mismatch'; readonly currentVersion: number | null };

/** Creates the product with an empty shelf, or replaces what is known of it. */
export async function putProduct(
  db: Database,
  draft: ProductDraft,
  expectedVersion: number | null,
): Promise<PutOutcome> {
  return db.$transaction(async (tx) => {
    const { sku, ...fields } = draft;
    if (expectedVersion === null) {
      const row = await tx.product.upsert({
        where: { sku },
        create: { ...draft, stock: { create: {} } },
        update: { ...fields, version: { increment: 1 }, updatedAt: new Date() },
      });
      return { kind: row.version === 1 ? 'created' : 'updated', product: toProduct(row) };
    }
    const [row] = await tx.product.updateManyAndReturn({
      where: { sku, version: expectedVersion },
      data: { ...fields, version: { increment: 1 }, updatedAt: new Date() },
    });
    if (row) return { kind: 'updated', product: toProduct(row) };
    const current = await tx.product.findUnique({ where: { sku }, select: { version: true } });
    return { kind: 'version_mismatch', currentVersion: current?.version ?? null };
  });
}

function toProduct(row: Prisma.ProductGetPayload<object>): Product {
  const { createdAt: _, ...product } = row;
  return { ...product, updatedAt: row.updatedAt.toISOString() };
}
