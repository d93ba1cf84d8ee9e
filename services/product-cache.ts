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
const MAX_ENTRIES = 2_000;

export function createProductCache(deps: {
  readonly db: Database;
  readonly notifications: Notifications;
}): ProductCache {
  const cache = new LRUCache<string, CacheEntry>({ max: MAX_ENTRIES });
  let generation = 0;
  // A load begun before the change is stored under the old generation's key, which is never read.
  const invalidate = (): void => {
    generation += 1;
    cache.clear();
  };
  const unsubscribe = deps.notifications.subscribe('holdfast_products', invalidate);

  const cached = <T>(name: string, load: () => Promise<T>): Promise<T> =>
    cachified<T>({ key: `${generation}/${name}`, cache, ttl: TTL_MS, getFreshValue: load });

  return {
    find: (sku) => cached(`product/${sku}`, () => findProduct(deps.db, sku)),
    list: (page) =>
      cached(`page/${page.limit}/${page.startingAfter ?? ''}`, () => listProducts(deps.db, page)),
    invalidate,
    close: unsubscribe,
  };
}
