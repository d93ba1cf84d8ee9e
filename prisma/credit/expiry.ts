/**
 * The expiry of store credit. No grant is written to again: what is left of the expired ones follows from
 * the ledger. Raw SQL: windows over the entries, by the database's clock.
 */
import type { CustomerId } from '../../domain/ids.ts';
import type { Database } from '../client/client.ts';
import { entryWritten } from './ledger.ts';
import { Prisma } from '../generated/client.ts';

export interface ExpiringAccount {
  readonly customerId: CustomerId;
  readonly currency: string;
  readonly nextExpiryAt: Date;
}

/** Accounts with a grant that has expired since they were last settled, the longest overdue first. */
export async function listExpiring(
  db: Database,
  { after, limit }: { readonly after: ExpiringAccount | null; readonly limit: number },
): Promise<readonly ExpiringAccount[]> {
  const { nextExpiryAt = new Date(0), customerId = '', currency = '' } = after ?? {};
  return db.$queryRaw<ExpiringAccount[]>`
    SELECT customer_id AS "customerId", currency, next_expiry_at AS "nextExpiryAt"
    FROM credit_accounts
    WHERE next_expiry_at <= now()
      AND (next_expiry_at, customer_id, currency) > (${nextExpiryAt}, ${customerId}, ${currency})
    ORDER BY next_expiry_at, customer_id, currency LIMIT ${limit}`;
}

/** Takes what is left of the account's expired grants from the balance. A second call changes nothing. */
export async function expireCredit(
  db: Database,
  { customerId, currency }: ExpiringAccount,
): Promise<void> {
  const account = Prisma.sql`customer_id = ${customerId} AND currency = ${currency}`;
  await db.$transaction(async (tx) => {
    // A statement of its own: the next one sees what was committed before the lock was granted.
    const due = await tx.$queryRaw<unknown[]>`
      SELECT FROM credit_accounts WHERE ${account} AND next_expiry_at <= now() FOR UPDATE`;
    if (due.length === 0) return;
    await tx.$executeRaw`
      WITH ${entryWritten({ kind: 'expired', actor: 'system' }, leftOfExpired(account))} SELECT`;
    await tx.$executeRaw`
      UPDATE credit_accounts SET next_expiry_at = (
        SELECT min(expires_at) FROM credit_entries WHERE ${account} AND expires_at > now())
      WHERE ${account}`;
  });
}

/**
 * Credit that expires first is spent first. So the expired grants and all spending are walked in their
 * order: the sum falls below zero where other credit was spent, and what it has risen above its lowest
 * point is left. Credit that came back does not expire, and is no part of it.
 */
function leftOfExpired(account: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`
    SELECT customer_id, currency, -LEAST(balance_minor, left_minor)::integer, NULL, NULL,
      NULL::timestamptz, NULL
    FROM credit_accounts, (
      SELECT sum(delta) - LEAST(0, min(risen)) AS left_minor FROM (
        SELECT delta, sum(delta) OVER (ORDER BY created_at, id) AS risen FROM (
          SELECT created_at, id, amount_minor AS delta FROM credit_entries
          WHERE ${account} AND (kind IN ('spent', 'expired') OR expires_at <= now())) AS step
      ) AS walk) AS expired
    WHERE ${account} AND LEAST(balance_minor, left_minor) > 0`;
}
