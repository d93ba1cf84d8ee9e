/**
 * What one hot stock row carries: orders opened on one product, by the function that the API calls. In
 * turns with it and with the same number of clients: orders of as many products as there are clients, so
 * that none waits for another's row, and the bare UPDATE of one row that pgbench would send. Where the
 * first two are alike, this process is the limit and not the row.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { openOrder, type OrderDraft } from '../../prisma/orders/place-order.ts';
import { percentile } from './load.ts';

export interface HotRow {
  readonly clients: number;
  /** Medians, per second. */
  readonly orders: number;
  readonly ordersOfManyRows: number;
  readonly bareUpdates: number;
}

const CLIENTS = 32;
const ROUNDS = 5;
const ROUND_MS = 2_000;
const UNITS = 2_000_000_000;
const skuOf = (client: number): string => `item-${client}`;

/** Measures on a database of its own: it leaves thousands of unpaid orders. */
export async function measureHotRow(databaseUrl: string): Promise<HotRow> {
  const db = createDatabase({ url: databaseUrl, poolSize: CLIENTS });
  const config = { connectionString: databaseUrl };
  const clients = Array.from({ length: CLIENTS }, () => new pg.Client(config));
  await Promise.all(clients.map((client) => client.connect()));
  try {
    await prepare(db);
    const rates = {
      orders: new Array<number>(),
      ordersOfManyRows: new Array<number>(),
      bareUpdates: new Array<number>(),
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      rates.orders.push(await rateOf(() => open(db, 0)));
      rates.ordersOfManyRows.push(await rateOf((client) => open(db, client)));
      rates.bareUpdates.push(await rateOf((client) => clients[client]?.query(BARE_UPDATE)));
    }
    return {
      clients: CLIENTS,
      orders: percentile(rates.orders, 0.5),
      ordersOfManyRows: percentile(rates.ordersOfManyRows, 0.5),
      bareUpdates: percentile(rates.bareUpdates, 0.5),
    };
  } finally {
    await Promise.all([...clients.map((client) => client.end()), closeDatabase(db)]);
  }
}

const BARE_UPDATE = {
  name: 'bare-update',
  text: 'UPDATE bare_stock SET n = n - 1 WHERE sku = $1 AND n > 0',
  values: ['hot'],
};

async function prepare(db: Database): Promise<void> {
  const skus = Array.from({ length: CLIENTS }, (_, client) => skuOf(client));
  await db.$executeRaw`
    INSERT INTO products (sku, name, price_minor, currency)
    SELECT sku, sku, 100, 'EUR' FROM unnest(${skus}::text[]) AS sku`;
  await db.$executeRaw`
    INSERT INTO stock (sku, on_hand) SELECT sku, ${UNITS} FROM unnest(${skus}::text[]) AS sku`;
  await db.$executeRaw`CREATE TABLE bare_stock (sku text PRIMARY KEY, n integer NOT NULL)`;
  await db.$executeRaw`INSERT INTO bare_stock VALUES ('hot', ${UNITS})`;
}

/** How many times per second the clients do the work together, each one after the other. */
async function rateOf(work: (client: number) => Promise<unknown> | undefined): Promise<number> {
  const startedMs = performance.now();
  let done = 0;
  const repeat = async (client: number): Promise<void> => {
    while (performance.now() - startedMs < ROUND_MS) {
      await work(client);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, client) => repeat(client)));
  return (done * 1_000) / (performance.now() - startedMs);
}

async function open(db: Database, client: number): Promise<void> {
  const { kind } = await openOrder(db, claim(), draft(skuOf(client)));
  if (kind !== 'opened') throw new Error(`the order was not opened: ${kind}`);
}

const claim = () => ({
  apiKeyId: 'bench',
  scope: 'POST /v1/orders',
  key: randomUUID(),
  fingerprint: 'bench',
});

function draft(sku: string): OrderDraft {
  return {
    customer: { email: `${randomUUID()}@example.com`, name: 'Bench', phone: null },
    defaultLanguage: 'en',
    shippingAddress: { line1: '1 Main Street', city: 'Springfield', country: 'US' },
    lines: [{ sku, name: sku, quantity: 1, unitPriceMinor: 100 }],
    creditMinor: 0,
    fulfillment: 'all_or_nothing',
    adjustments: [],
    currency: 'EUR',
    totalMinor: 100,
    paymentMethod: 'pm_card_visa',
    correlationId: 'bench',
    traceparent: null,
    inspectable: false,
  };
}
