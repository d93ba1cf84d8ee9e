/** A database with the seeded catalog only, and orders in it as the API would write them. No servers. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Order, OrderLine } from '../../domain/order.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import type { KeyClaim } from '../../prisma/access/idempotency.ts';
import { openOrder, type OrderDraft } from '../../prisma/orders/place-order.ts';
import { recordPlaced } from '../../prisma/orders/settle-order.ts';
import { seed } from '../../prisma/seed.ts';
import { eventually } from '../support/eventually.ts';
import { useOpened } from '../support/use-opened.ts';
import { createTestDatabase, TIMEOUT_FACTOR } from '../support/database.ts';

export interface SeededDatabase {
  readonly db: Database;
  readonly url: string;
  /** A pending order of the given lines, by default two white mugs. */
  open(wanted?: readonly Wanted[]): Promise<Order>;
  /** The same, placed with a payment authorized. */
  place(wanted?: readonly Wanted[]): Promise<Order>;
  /** Adds a product with this many units and returns its SKU. */
  stock(onHand: number): Promise<string>;
  close(): Promise<void>;
}

interface Wanted {
  readonly sku: string;
  readonly quantity: number;
}

const MUGS: readonly Wanted[] = [{ sku: 'mug-white', quantity: 2 }];

export const useSeededDatabase = (poolSize?: number): SeededDatabase =>
  useOpened(() => openSeededDatabase(poolSize));

export async function openSeededDatabase(poolSize = 10): Promise<SeededDatabase> {
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url, poolSize, timeoutFactor: TIMEOUT_FACTOR });
  await seed(db);
  const open = async (wanted = MUGS): Promise<Order> => {
    const opened = await openOrder(db, claimOf(), draftOf(wanted));
    if (opened.kind !== 'opened') throw new Error(`not opened: ${opened.kind}`);
    return opened.order;
  };
  return {
    db,
    url: database.url,
    open,
    async place(wanted) {
      const order = await open(wanted);
      await recordPlaced(db, order, {
        reference: `pi_${order.id}`,
        response: ({ id }) => ({ status: 201, body: JSON.stringify({ id }) }),
      });
      return order;
    },
    async stock(onHand) {
      const sku = `sku-${randomUUID()}`;
      await db.product.create({
        data: { sku, name: sku, priceMinor: 100, currency: 'EUR', stock: { create: { onHand } } },
      });
      if (onHand > 0) {
        await db.stockMovement.create({
          data: { sku, delta: onHand, kind: 'adjusted', reason: 'test', actor: 'test' },
        });
      }
      return sku;
    },
    async close() {
      await closeDatabase(db);
      await database.close();
    },
  };
}

/** A claim of a new key. */
export function claimOf(part: Partial<KeyClaim> = {}): KeyClaim {
  return { apiKeyId: 'key', scope: 'orders', key: randomUUID(), fingerprint: 'one', ...part };
}

export function draftOf(wanted: readonly Wanted[] = MUGS): OrderDraft {
  const lines: OrderLine[] = wanted.map((each) => ({
    ...each,
    name: each.sku,
    unitPriceMinor: 100,
  }));
  return {
    customer: { email: 'ada@example.com', name: 'Ada', phone: null },
    defaultLanguage: 'en',
    shippingAddress: { line1: 'Street 1', city: 'Berlin', postalCode: '10115', country: 'DE' },
    lines,
    creditMinor: 0,
    fulfillment: 'all_or_nothing',
    adjustments: [],
    currency: 'EUR',
    totalMinor: lines.reduce((sum, line) => sum + line.quantity * line.unitPriceMinor, 0),
    paymentMethod: 'pm_card_visa',
    correlationId: randomUUID(),
    traceparent: null,
    inspectable: false,
  };
}

/** Runs `work` `count` times, `width` of them concurrently. */
export async function runConcurrently<T>(
  count: number,
  width: number,
  work: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) results[index] = await work(index);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

/** Resolves once one statement waits for a lock. */
export async function untilOneWaits(db: Database): Promise<void> {
  await eventually(async () => {
    const waiting = await db.$queryRaw<unknown[]>`
      SELECT 1 FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    expect(waiting).toHaveLength(1);
  });
}
