/**
 * An in-process cache of the catalog for browsing. Concurrent loads of one entry are shared. Every
 * product change clears it through a PostgreSQL notification. Order prices do not come from it.
 */
import { cachified, type CacheEntry } from '@epic-web/cachified';
import { LRUCache } from 'lru-cache';
import type { Product } from '../domain/product.ts';
import type { Database } from '../prisma/client/client.ts';
import type { Notifications } from '../prisma/client/listen.ts';
import { findProduct, listProducts } from '../prisma/catalog/products.ts';

export interface ProductPage {
  readonly products: readonly Product[];
  readonly hasMore: boolean;
}

export interface ProductCache {
  find(sku: string): Promise<Product | null>;
  list(page: {
    readonly limit: number;
    readonly startingAfter?: string | undefined;
  }): Promise<ProductPage>;
  /** Clears the cache after a change. */
  invalidate(): void;
  close(): void;
}

/** Bounds staleness when a notification is lost. */
const TTL_MS = 30_000;
/** In all entries together: a page counts its products, and one without any counts as one. */
const MAX_PRODUCTS = 10_000;

export function createProductCache(deps: {
  readonly db: Database;
  readonly notifications: Notifications;
}): ProductCache {
  const cache = new LRUCache<string, CacheEntry<ProductPage>>({
    maxSize: MAX_PRODUCTS,
    sizeCalculation: ({ value }) => Math.max(1, value.products.length),
  });
  let generation = 0;
  // A load begun before the change is stored under the old generation's key, which is never read.
  const invalidate = (): void => {
    generation += 1;
    cache.clear();
  };
  const unsubscribe = deps.notifications.subscribe('holdfast_products', invalidate);

  const cached = (name: string, load: () => Promise<ProductPage>): Promise<ProductPage> =>
    cachified({ key: `${generation}/${name}`, cache, ttl: TTL_MS, getFreshValue: load });
  const load = async (sku: string): Promise<ProductPage> => {
    const product = await findProduct(deps.db, sku);
    return { products: product === null ? [] : [product], hasMore: false };
  };

  return {
    find: async (sku) => (await cached(`product/${sku}`, () => load(sku))).products[0] ?? null,
    list: (page) =>
      cached(`page/${page.limit}/${page.startingAfter ?? ''}`, () => listProducts(deps.db, page)),
    invalidate,
    close: unsubscribe,
  };
}
