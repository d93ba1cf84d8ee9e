/** What must be true of the database at the end of a test file, whatever the tests did to the rest. */
import { expect } from 'vitest';
import type { Database } from '../../prisma/client/client.ts';
import { checkInvariants, type InvariantOptions } from '../../prisma/operations/invariants.ts';

/** A busy machine must break no test. */
const LIMITS = { timeoutMs: 150_000, queryTimeoutMs: 60_000 };

/**
 * Every invariant that holds in each snapshot, checked in one. With `scope: 'all'` also those that
 * need time: only once every order is settled. Fails with the first violations.
 */
export async function expectInvariants(
  db: Database,
  options: InvariantOptions = { scope: 'always' },
): Promise<void> {
  const results = await checkInvariants(db, { ...LIMITS, ...options });
  const broken = results.filter((each) => each.violations > 0 || each.unchecked !== null);
  expect(broken, 'violated invariants').toEqual([]);
}
