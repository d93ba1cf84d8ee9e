/**
 * An in-process cache of the catalog for browsing. Every product change, in whatever process, outdates it
 * through a PostgreSQL notification; while the database is slow or away it is stale. Order prices do not
 * come from it.
 */
import type { Product } from '../domain/product.ts';
import type { Database } from '../prisma/client/client.ts';
import type { Notifications } from '../prisma/client/listen.ts';
import { findProduct, listProducts, type ProductPageQuery } from '../prisma/catalog/products.ts';
import { createStaleCache, type Cached } from './stale-cache.ts';

export interface ProductPage {
  readonly products: readonly Product[];
  readonly hasMore: boolean;
}

export interface ProductCache {
  find(sku: string): Promise<Cached<Product | null>>;
  list(page: ProductPageQuery): Promise<Cached<ProductPage>>;
  /** Outdates the cache after a change. */
  invalidate(): void;
  close(): void;
}

/** Bounds staleness when a notification is lost. */
const TTL_MS = 30_000;
/** How old what is served without the database may be. */
const STALE_MS = 3_600_000;
/** Of all entries together, products with their prices; a page without any counts as one. */
const MAX_PRICES = 10_000;
const NO_PAGE: ProductPage = { products: [], hasMore: false };

export function createProductCache(deps: {
  readonly db: Database;
  readonly notifications: Notifications;
}): ProductCache {
  const { db, notifications } = deps;
  const cache = createStaleCache<ProductPage>({
    freshMs: TTL_MS,
    staleMs: STALE_MS,
    maxSize: MAX_PRICES,
    sizeOf: ({ products }) => products.reduce((sum, { prices }) => sum + 1 + prices.length, 0),
  });
  const unsubscribe = notifications.subscribe('holdfast_products', cache.invalidate);
  const load = async (sku: string): Promise<ProductPage> => {
    const product = await findProduct(db, sku);
    return { products: product === null ? [] : [product], hasMore: false };
  };
  return {
    async find(sku) {
      const { value, ...cached } = await cache.read(`product/${sku}`, () => load(sku), true);
      return { ...cached, value: value?.products[0] ?? null };
    },
    async list(page) {
      const { limit, startingAfter = '', archived, q = '' } = page;
      const key = JSON.stringify([limit, startingAfter, archived, q]);
      const { value, ...cached } = await cache.read(key, () => listProducts(db, page), true);
      return { ...cached, value: value ?? NO_PAGE };
    },
    invalidate: cache.invalidate,
    close: unsubscribe,
  };
}
