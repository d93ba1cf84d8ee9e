/** What must be true of a shop after faults: every invariant, and our records match the providers'. */
import { expectLedgersMatch } from '../support/expectations.ts';
import { expectInvariants } from '../support/invariants.ts';
import type { Shop } from '../support/shop.ts';

/** Throws with the first violations. All orders must be settled. */
export async function expectConsistent(shop: Pick<Shop, 'db' | 'sandbox'>): Promise<void> {
  await expectInvariants(shop.db, { scope: 'all' });
  await expectLedgersMatch(shop);
}
