/**
 * Fills an empty migrated database with orders that are finished, and a constant few that are not: the
 * rows that the shop would have written, by one INSERT per table. Every constraint and invariant holds.
 */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { closeDatabase, createDatabase } from '../../../prisma/client/client.ts';
import { seed } from '../../../prisma/seed.ts';

/** Of one transaction. */
const CHUNK = 10_000;
/** As many as the machine has cores. */
const CONNECTIONS = 2;
/** The orders are all within the shortest retention period, so that everything of them is kept. */
const SPAN_MS = 28 * 86_400_000;
/** Older than anything that the settled invariants still wait for. */
const ENDED_MS_AGO = 5 * 60_000;

/** Adds `orders` orders, at least 1,000. The catalog and the API keys are those of a local stack. */
export async function seedOrders(databaseUrl: string, orders: number): Promise<void> {
  const db = createDatabase({ url: databaseUrl, poolSize: 1 });
  await seed(db);
  await closeDatabase(db);
  const settings = { orders, end_ms: Date.now() - ENDED_MS_AGO, span_ms: SPAN_MS };
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => connect(databaseUrl, settings)),
  );
  const [client] = clients;
  if (!client) return;
  try {
    await client.query(await readScript('catalog.sql'));
    const script = await readScript('orders.sql');
    let next = 1;
    const addChunks = async (by: pg.Client): Promise<void> => {
      while (next <= orders) {
        const first = next;
        next += CHUNK;
        await set(by, { first, last: Math.min(first + CHUNK - 1, orders) });
        await by.query(script);
      }
    };
    await Promise.all(clients.map(addChunks));
    // VACUUM marks no page as visible whose rows were committed and are not on disk yet.
    await client.query('SET synchronous_commit = on');
    await client.query(await readScript('rest.sql'));
    await client.query('VACUUM ANALYZE');
  } finally {
    await Promise.all(clients.map((each) => each.end()));
  }
}

async function connect(url: string, settings: Readonly<Record<string, number>>) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('SET synchronous_commit = off; SET work_mem = 64000');
  await set(client, settings);
  return client;
}

/** The scripts read their numbers as settings, because a script of several statements has no parameters. */
async function set(client: pg.Client, values: Readonly<Record<string, number>>): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    await client.query('SELECT set_config($1, $2, false)', [`seed.${name}`, String(value)]);
  }
}

function readScript(name: string): Promise<string> {
  return readFile(new URL(name, import.meta.url), 'utf8');
}
