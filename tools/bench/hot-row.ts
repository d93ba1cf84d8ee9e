/**
 * What one hot stock row carries: orders opened on one product, by the function that the API calls, and
 * beside it the bare UPDATE of one row that pgbench would send, in turns and with the same number of
 * clients. Both wait for the same disk at each COMMIT, and only one transaction at a time has the row.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { createDatabase, type Database } from '../../prisma/client/client.ts';
import { openOrder, type OrderDraft } from '../../prisma/orders/place-order.ts';
import { percentile } from './load.ts';

export interface HotRow {
  readonly clients: number;
  /** Medians, per second. */
  readonly orders: number;
  readonly bareUpdates: number;
  readonly ratio: number;
}

const CLIENTS = 32;
const ROUNDS = 5;
const ROUND_MS = 2_000;
const SKU = 'hot';
const UNITS = 2_000_000_000;

/** Measures on a database of its own: it leaves thousands of unpaid orders. */
export async function measureHotRow(databaseUrl: string): Promise<HotRow> {
  const db = createDatabase({ url: databaseUrl, poolSize: CLIENTS });
  const config = { connectionString: databaseUrl };
  const clients = Array.from({ length: CLIENTS }, () => new pg.Client(config));
  await Promise.all(clients.map((client) => client.connect()));
  try {
    await prepare(db);
    const [orders, bareUpdates]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      orders.push(await rateOf(clients, () => open(db)));
      bareUpdates.push(await rateOf(clients, (client) => client.query(BARE_UPDATE)));
    }
    const [ours, bare] = [percentile(orders, 0.5), percentile(bareUpdates, 0.5)];
    return { clients: CLIENTS, orders: ours, bareUpdates: bare, ratio: ours / bare };
  } finally {
    await Promise.all([...clients.map((client) => client.end()), db.$disconnect()]);
  }
}

const BARE_UPDATE = {
  name: 'bare-update',
  text: 'UPDATE bare_stock SET n = n - 1 WHERE sku = $1 AND n > 0',
  values: [SKU],
};

async function prepare(db: Database): Promise<void> {
  await db.$executeRaw`INSERT INTO products (sku, name, price_minor, currency) VALUES (${SKU}, 'Hot', 100, 'EUR')`;
  await db.$executeRaw`INSERT INTO stock (sku, on_hand) VALUES (${SKU}, ${UNITS})`;
  await db.$executeRaw`CREATE TABLE bare_stock (sku text PRIMARY KEY, n integer NOT NULL)`;
  await db.$executeRaw`INSERT INTO bare_stock VALUES (${SKU}, ${UNITS})`;
}

/** How many times per second the clients do the work together, each one after the other. */
async function rateOf(
  clients: readonly pg.Client[],
  work: (client: pg.Client) => Promise<unknown>,
): Promise<number> {
  const startedMs = performance.now();
  let done = 0;
  const repeat = async (client: pg.Client): Promise<void> => {
    while (performance.now() - startedMs < ROUND_MS) {
      await work(client);
      done += 1;
    }
  };
  await Promise.all(clients.map(repeat));
  return (done * 1_000) / (performance.now() - startedMs);
}

async function open(db: Database): Promise<void> {
  const { kind } = await openOrder(db, claim(), draft());
  if (kind !== 'opened') throw new Error(`the order was not opened: ${kind}`);
}

const claim = () => ({
  apiKeyId: 'bench',
  scope: 'POST /v1/orders',
  key: randomUUID(),
  fingerprint: 'bench',
});

function draft(): OrderDraft {
  return {
    customer: { email: `${randomUUID()}@example.com`, name: 'Bench', phone: null },
    shippingAddress: { line1: '1 Main Street', city: 'Springfield', country: 'US' },
    lines: [{ sku: SKU, name: 'Hot', quantity: 1, unitPriceMinor: 100 }],
    currency: 'EUR',
    totalMinor: 100,
    paymentMethod: 'pm_card_visa',
    correlationId: 'bench',
    traceparent: null,
  };
}
