/** The sweep's part that expires store credit. */
import { expireCredit, listExpiring, type ExpiringAccount } from '../../prisma/credit/expiry.ts';
import { eachItem } from '../../telemetry/items.ts';
import { itemLoop } from '../items.ts';
import type { SweepDependencies } from './dependencies.ts';

/** Some milliseconds each. */
const BATCH = 100;
/** What is left is for the next sweep. */
const MAX_BATCHES = 10;

/** Settles the accounts with a grant that has expired. Returns how many; one that fails stops no other. */
export async function expireDueCredit({ db }: Pick<SweepDependencies, 'db'>): Promise<number> {
  const loop = itemLoop('expire_credit', ({ customerId }: ExpiringAccount) => customerId);
  let settled = 0;
  let after: ExpiringAccount | null = null;
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const due: readonly ExpiringAccount[] = await listExpiring(db, { after, limit: BATCH });
    const failed = await eachItem(due, loop, (account) => expireCredit(db, account));
    settled += due.length - failed.length;
    after = due.at(-1) ?? null;
    if (due.length < BATCH) break;
  }
  return settled;
}
