/** Grants store credit. Raw SQL: the account is opened or locked in one statement. */
import type { CreditEntry } from '../../domain/credit.ts';
import type { CustomerId } from '../../domain/ids.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import type { Transaction } from '../client/client.ts';
import { toCreditEntry } from './accounts.ts';
import { entryWritten } from './ledger.ts';
import { Prisma } from '../generated/client.ts';

export interface CreditGrant {
  readonly customerId: CustomerId;
  readonly amountMinor: number;
  readonly currency: string;
  readonly reason: string;
  /** Null: it does not expire. */
  readonly expiresAt: string | null;
  /** The API key of the request. */
  readonly actor: string;
}

export type GrantOutcome =
  | { readonly kind: 'granted'; readonly entry: CreditEntry }
  | { readonly kind: 'customer_not_found' }
  /** More than a balance may be; nothing was granted. */
  | { readonly kind: 'exceeds'; readonly leftMinor: number };

/** Grants credit to a customer who is not erased. */
export async function grantCredit(tx: Transaction, grant: CreditGrant): Promise<GrantOutcome> {
  const { customerId, amountMinor, currency, reason, expiresAt, actor } = grant;
  const [account] = await tx.$queryRaw<{ minor: number }[]>`
    INSERT INTO credit_accounts (customer_id, currency)
    SELECT id, ${currency} FROM customers WHERE id = ${customerId} AND email IS NOT NULL FOR KEY SHARE
    ON CONFLICT (customer_id, currency) DO UPDATE SET currency = EXCLUDED.currency
    RETURNING balance_minor::float8 AS minor`;
  if (account === undefined) return { kind: 'customer_not_found' };
  const leftMinor = Math.max(0, MAX_INTEGER - account.minor);
  if (amountMinor > leftMinor) return { kind: 'exceeds', leftMinor };
  const [written] = await tx.$queryRaw<{ id: string }[]>`
    WITH ${entryWritten(
      { kind: 'granted', actor },
      Prisma.sql`SELECT ${customerId}, ${currency}, ${amountMinor}::integer, NULL, NULL,
        ${expiresAt}::timestamptz, ${reason}`,
    )} SELECT id FROM entry`;
  const row = await tx.creditEntry.findUniqueOrThrow({ where: { id: written?.id ?? '' } });
  return { kind: 'granted', entry: toCreditEntry(row) };
}
