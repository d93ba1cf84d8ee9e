/** After the harm: every invariant holds, and our books are the providers' books. */
import { expect } from 'vitest';
import { expectInvariants } from '../support/invariants.ts';
import type { Shop } from '../support/shop.ts';

type Books = Pick<Shop, 'db' | 'sandbox'>;

/** Throws with the first violations. Orders must rest. */
export async function expectConsistent(shop: Books): Promise<void> {
  await expectInvariants(shop.db, { scope: 'all' });
  await expectLedgersMatch(shop);
}

/** Each effect at the payment provider is an operation of our books, and the other way round. */
export async function expectLedgersMatch({ db, sandbox }: Books): Promise<void> {
  const operations = await db.paymentOperation.findMany({ where: { state: 'succeeded' } });
  const ours = operations.map((each) => `${each.key} ${each.amountMinor} ${each.currency}`);
  const theirs = sandbox.ledgers.payments
    .effects()
    .map((each) => `${each.key} ${each.amount_minor} ${each.currency}`);
  expect(ours.toSorted()).toEqual(theirs.toSorted());
}
