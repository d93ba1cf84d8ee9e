/** Reads of store credit: balances and the ledger of a customer. Raw: aggregates, and one statement each. */
import type { CreditEntry } from '../../domain/credit.ts';
import type { CustomerId, OrderId, RefundId } from '../../domain/ids.ts';
import type { Money } from '../../domain/money.ts';
import type { Database } from '../client/client.ts';
import { uncheckedColumn } from '../client/columns.ts';
import type { Prisma } from '../generated/client.ts';

/** The customer's balances by currency, in one statement; null when it is unknown or erased. */
export async function findBalances(
  db: Database,
  customerId: string,
): Promise<readonly Money[] | null> {
  const rows = await db.$queryRaw<{ balances: Money[] }[]>`
    SELECT (SELECT COALESCE(jsonb_agg(jsonb_build_object(
        'amountMinor', balance_minor, 'currency', currency) ORDER BY currency), '[]')
      FROM credit_accounts WHERE customer_id = customers.id) AS balances
    FROM customers WHERE id = ${customerId} AND email IS NOT NULL`;
  return rows[0]?.balances ?? null;
}

/** What the customer of the e-mail can spend in the currency. */
export async function findCreditOf(db: Database, email: string, currency: string): Promise<number> {
  const rows = await db.$queryRaw<{ minor: number }[]>`
    SELECT balance_minor::float8 AS minor FROM credit_accounts JOIN customers c ON c.id = customer_id
    WHERE c.email = ${email} AND currency = ${currency}`;
  return rows[0]?.minor ?? 0;
}

/** The customer's entries, newest first: one page after `startingAfter`. */
export async function pageCreditEntries(
  db: Database,
  customerId: CustomerId,
  page: { readonly limit: number; readonly startingAfter?: string | undefined },
): Promise<{ readonly entries: readonly CreditEntry[]; readonly hasMore: boolean }> {
  const { limit, startingAfter } = page;
  const rows = await db.creditEntry.findMany({
    where: { customerId, ...(startingAfter !== undefined && { id: { lt: startingAfter } }) },
    orderBy: { id: 'desc' },
    take: limit + 1,
  });
  return { entries: rows.slice(0, limit).map(toCreditEntry), hasMore: rows.length > limit };
}

export function toCreditEntry(row: Prisma.CreditEntryGetPayload<object>): CreditEntry {
  return {
    id: row.id,
    customerId: uncheckedColumn<CustomerId>(row.customerId),
    kind: row.kind,
    amountMinor: row.amountMinor,
    currency: row.currency,
    orderId: uncheckedColumn<OrderId>(row.orderId),
    refundId: uncheckedColumn<RefundId>(row.refundId),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    reason: row.reason,
    createdAt: row.createdAt.toISOString(),
  };
}
