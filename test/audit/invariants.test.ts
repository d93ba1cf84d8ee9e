import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, dropDatabase } from '../../local/stack/postgres.ts';
import { createDatabase as openDatabase, type Database } from '../../prisma/client.ts';
import {
  checkInvariants,
  readInvariants,
  type InvariantOptions,
  type InvariantResult,
} from '../../prisma/invariants.ts';
import { openHealthyShop, type HealthyShop } from './fates.ts';
import { plant, PLANTINGS } from './plantings.ts';

/** Everything but forgotten transactions is planted as rows. */
const LONG_TRANSACTIONS = 'no_long_transactions';

let healthy: HealthyShop;
beforeAll(async () => {
  healthy = await openHealthyShop();
  // A database is cloned only while nobody is connected to it.
  await healthy.db.$disconnect();
});
afterAll(() => healthy.close());

test('a healthy database with orders of every fate violates nothing', async () => {
  await withClone(async ({ db }) => {
    const statuses = await db.order.groupBy({ by: ['status'] });
    expect(statuses.length).toBe(10);
    const results = await checkInvariants(db);
    expect(reported(results)).toEqual([]);
    expect(results.map(({ name }) => name)).toEqual((await readInvariants()).map((i) => i.name));
  });
});

describe('one planted violation is reported by its invariant', () => {
  test.each(PLANTINGS)('$invariant: $what', async (planting) => {
    const { invariant, also = [] } = planting;
    await withClone(async ({ db, client }) => {
      await plant(client, planting, healthy.fates);
      const results = await checkInvariants(db);
      expect(
        reported(results)
          .map(({ name }) => name)
          .toSorted(),
      ).toEqual([invariant, ...also].toSorted());
      const found = results.find(({ name }) => name === invariant);
      expect(found?.violations).toBeGreaterThan(0);
      const text = JSON.stringify(found?.examples);
      expect(text).toContain(planting.subject(healthy.fates));
    });
  });

  test(`${LONG_TRANSACTIONS}: a transaction forgotten open`, async () => {
    await withClone(async ({ db, client }) => {
      await client.query('BEGIN');
      await client.query(`UPDATE products SET name = 'never committed' WHERE sku = 'mug-white'`);
      const results = await checkInvariants(db, { patienceMs: 0 });
      expect(reported(results)).toMatchObject([{ name: LONG_TRANSACTIONS, violations: 1 }]);
      await client.query('ROLLBACK');
      expect(reported(await checkInvariants(db, { patienceMs: 0 }))).toEqual([]);
    });
  });

  test('every invariant of the file has a planted violation', async () => {
    const planted = new Set([...PLANTINGS.map((each) => each.invariant), LONG_TRANSACTIONS]);
    const written = (await readInvariants()).map(({ name }) => name);
    expect(new Set(written).size).toBe(written.length);
    expect([...planted].toSorted()).toEqual(written.toSorted());
  });
});

describe('a check', () => {
  test('while things are being broken leaves out what needs time', async () => {
    await withClone(async ({ db, client }) => {
      const late = PLANTINGS.find(({ invariant }) => invariant === 'pending_ends');
      if (!late) throw new Error('not planted');
      await plant(client, late, healthy.fates);
      const always = await checkInvariants(db, { scope: 'always' });
      expect(reported(always)).toEqual([]);
      expect(new Set(always.map(({ holds }) => holds))).toEqual(new Set(['always']));
      expect(reported(await checkInvariants(db))).toHaveLength(1);
      // Two hours of grace: the deadline passed one hour ago.
      expect(reported(await checkInvariants(db, { graceMs: 7_200_000 }))).toEqual([]);
    });
  });

  test('counts all violations and names the first few', async () => {
    const counted = await checkBroken('UPDATE order_lines SET unit_price_minor = 1', { limit: 3 });
    const totals = counted.find(({ name }) => name === 'order_totals');
    expect(totals?.violations).toBe(Object.keys(healthy.fates).length);
    expect(totals?.examples).toHaveLength(3);
  });

  test('that cannot be made says so, and the others are made all the same', async () => {
    const results = await checkBroken('ALTER TABLE inbox RENAME TO elsewhere');
    const unchecked = results.filter((each) => each.unchecked !== null);
    expect(unchecked.map(({ name }) => name)).toEqual(['callbacks_taken']);
    expect(unchecked[0]?.unchecked).toContain('inbox');
    expect(reported(results)).toHaveLength(1);
  });

  test('that has no time left asks nothing', async () => {
    const results = await checkBroken('SELECT 1', { timeoutMs: 0 });
    expect(new Set(results.map(({ unchecked }) => unchecked))).toEqual(new Set(['no time left']));
  });

  test('writes nothing: its transaction is read-only and one snapshot', async () => {
    await withClone(async ({ db, client }) => {
      const { rows: before } = await client.query('SELECT pg_current_snapshot()::text AS now');
      await checkInvariants(db);
      const { rows: after } = await client.query(
        `SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::int AS written
         FROM pg_stat_xact_user_tables`,
      );
      expect(before).toHaveLength(1);
      expect(after).toEqual([{ written: 0 }]);
    });
  });
});

/** Those that do not hold, or could not be checked. */
function reported(results: readonly InvariantResult[]): readonly InvariantResult[] {
  return results.filter(({ violations, unchecked }) => violations > 0 || unchecked !== null);
}

async function checkBroken(statement: string, options?: InvariantOptions) {
  return withClone(async ({ db, client }) => {
    await client.query('SET session_replication_role = replica');
    await client.query(statement);
    return checkInvariants(db, options);
  });
}

interface Clone {
  readonly db: Database;
  readonly client: pg.Client;
}

/** The healthy database again, to be broken at will. */
async function withClone<T>(work: (clone: Clone) => Promise<T>): Promise<T> {
  const url = new URL(healthy.url);
  const template = url.pathname.slice(1);
  url.pathname = `/audit_${randomUUID().replaceAll('-', '')}`;
  await createDatabase(url.href, template);
  const db = openDatabase({ url: url.href, poolSize: 2 });
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    return await work({ db, client });
  } finally {
    await client.end();
    await db.$disconnect();
    await dropDatabase(url.href);
  }
}
