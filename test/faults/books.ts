/** After the harm: every invariant holds, and our books are the providers' books. */
import { expect } from 'vitest';
import { checkInvariants } from '../../prisma/invariants.ts';
import type { Shop } from '../api/shop.ts';

/** Throws with the first violations. Orders must rest. */
export async function expectSoundBooks({ db, sandbox }: Pick<Shop, 'db' | 'sandbox'>) {
  const results = await checkInvariants(db);
  const broken = results.filter((each) => each.violations > 0 || each.unchecked !== null);
  expect(broken.map(({ name, examples, unchecked }) => ({ name, examples, unchecked }))).toEqual(
    [],
  );
  const operations = await db.paymentOperation.findMany({ where: { state: 'succeeded' } });
  const ours = operations.map((each) => `${each.key} ${each.amountMinor} ${each.currency}`);
  const theirs = sandbox.ledgers.payments
    .effects()
    .map((each) => `${each.key} ${each.amount_minor} ${each.currency}`);
  expect(ours.toSorted()).toEqual(theirs.toSorted());
}
