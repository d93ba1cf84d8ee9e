import pg from 'pg';
import { describe, expect, test } from 'vitest';
import {
  checkInvariants,
  checkWithin,
  readInvariants,
  type InvariantOptions,
  type InvariantResult,
} from '../../prisma/operations/invariants.ts';
import { useHealthyShop } from './scenarios.ts';
import { EVENT_PLANTINGS } from './event-plantings.ts';
import { JOB_PLANTINGS } from './job-plantings.ts';
import { ORDER_PLANTINGS } from './order-plantings.ts';
import { plantedIn, type Planting } from './planting.ts';

const PLANTINGS = [...ORDER_PLANTINGS, ...EVENT_PLANTINGS, ...JOB_PLANTINGS];
/** The only violation that is not planted as rows. */
const LONG_TRANSACTIONS = 'no_long_transactions';

const healthy = useHealthyShop();

test('a healthy database with orders of every scenario violates no invariant', async () => {
  const statuses = await healthy.db.order.groupBy({ by: ['status'] });
  expect(statuses.length).toBe(10);
  const results = await checkInvariants(healthy.db);
  expect(reported(results)).toEqual([]);
  expect(results.map(({ name }) => name)).toEqual((await readInvariants()).map((i) => i.name));
});

describe('a planted violation', () => {
  test.each(PLANTINGS)('the invariant $invariant reports $what', async (planting) => {
    const { invariant, also = [] } = planting;
    const results = await checkPlanted(planting);
    const names = reported(results).map(({ name }) => name);
    expect(names.toSorted()).toEqual([invariant, ...also].toSorted());
    const found = results.find(({ name }) => name === invariant);
    expect(found?.violations).toBeGreaterThan(0);
    expect(JSON.stringify(found?.examples)).toContain(plantedIn(healthy.orders, planting).subject);
  });

  test(`the invariant ${LONG_TRANSACTIONS} reports a transaction left open`, async () => {
    const client = new pg.Client({ connectionString: healthy.url });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query(`UPDATE products SET name = 'never committed' WHERE sku = 'mug-white'`);
      const results = await checkInvariants(healthy.db, { maxTransactionMs: 0 });
      expect(reported(results)).toMatchObject([{ name: LONG_TRANSACTIONS, violations: 1 }]);
      await client.query('ROLLBACK');
      expect(reported(await checkInvariants(healthy.db, { maxTransactionMs: 0 }))).toEqual([]);
    } finally {
      await client.end();
    }
  });

  test('every invariant has a planted violation', async () => {
    const planted = new Set([...PLANTINGS.map((each) => each.invariant), LONG_TRANSACTIONS]);
    const written = (await readInvariants()).map(({ name }) => name);
    expect(new Set(written).size).toBe(written.length);
    expect([...planted].toSorted()).toEqual(written.toSorted());
  });
});

describe('a check', () => {
  test('a check with scope always or a longer grace period does not report an order past its deadline', async () => {
    const late = PLANTINGS.find(({ invariant }) => invariant === 'pending_ends');
    if (!late) throw new Error('not planted');
    const always = await checkPlanted(late, { scope: 'always' });
    expect(reported(always)).toEqual([]);
    expect(new Set(always.map(({ holds }) => holds))).toEqual(new Set(['always']));
    expect(reported(await checkPlanted(late))).toHaveLength(1);
    // Two hours of grace: the deadline passed one hour ago.
    expect(reported(await checkPlanted(late, { graceMs: 7_200_000 }))).toEqual([]);
  });

  test('a check counts all violations and lists only the first few', async () => {
    const dearer = 'UPDATE orders SET total_minor = total_minor + 1';
    const counted = await checkBroken([dearer], { limit: 3 });
    const totals = counted.find(({ name }) => name === 'order_totals');
    expect(totals?.violations).toBe(Object.keys(healthy.orders).length);
    expect(totals?.examples).toHaveLength(3);
  });

  test('a check that cannot run is reported as unchecked and the others still run', async () => {
    const results = await checkBroken(['ALTER TABLE maintenance_runs RENAME TO elsewhere']);
    const unchecked = results.filter((each) => each.unchecked !== null);
    expect(unchecked.map(({ name }) => name)).toEqual(['maintenance_runs']);
    expect(unchecked[0]?.unchecked).toContain('maintenance_runs');
    expect(reported(results)).toHaveLength(1);
  });

  test('every check is reported as unchecked when no time is left', async () => {
    const results = await checkInvariants(healthy.db, { timeoutMs: 0 });
    expect(new Set(results.map(({ unchecked }) => unchecked))).toEqual(new Set(['no time left']));
  });

  test('the planted violations are rolled back and leave a healthy database', async () => {
    expect(reported(await checkInvariants(healthy.db))).toEqual([]);
  });
});

/** Those that do not hold, or could not be checked. */
function reported(results: readonly InvariantResult[]): readonly InvariantResult[] {
  return results.filter(({ violations, unchecked }) => violations > 0 || unchecked !== null);
}

function checkPlanted(planting: Planting, options?: InvariantOptions) {
  return checkBroken(plantedIn(healthy.orders, planting).statements, options);
}

/** Thrown to roll the planted changes back. */
class RolledBack extends Error {}

/** Checks the healthy database with these changes, which are rolled back. */
async function checkBroken(statements: readonly string[], options?: InvariantOptions) {
  let results: readonly InvariantResult[] = [];
  const broken = healthy.db.$transaction(
    async (tx) => {
      await tx.$executeRaw`SET LOCAL session_replication_role = replica`;
      for (const statement of statements) await tx.$executeRawUnsafe(statement);
      results = await checkWithin(tx, options);
      throw new RolledBack();
    },
    { timeout: 60_000 },
  );
  await expect(broken).rejects.toThrow(RolledBack);
  return results;
}
