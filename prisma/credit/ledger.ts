/**
 * Writes of store credit. Each appends an entry and changes the account's balance by it, in one statement
 * of its caller's transaction; a check of the table refuses a balance below zero. An account is locked
 * after its order and before the stock, whose rows are contended: every transaction that locks both does
 * it in that order, so that none can deadlock. Raw SQL: both writes in one statement.
 */
import type { CreditEntryKind } from '../../domain/credit.ts';
import { creditKey, providerKey, type OrderId, type RefundId } from '../../domain/ids.ts';
import type { Transaction } from '../client/client.ts';
import { violatesConstraint } from '../client/errors.ts';
import { newId } from '../client/ids.ts';
import { Prisma } from '../generated/client.ts';

/** The actor of entries that follow from an order. */
const CHECKOUT = 'checkout';

/**
 * An entry by a SELECT of customer_id, currency, amount_minor, order_id, refund_id, expires_at and reason,
 * and the balance after it: the CTEs `entry` and `balanced`. A second entry under the key changes nothing;
 * without a key there is no second one.
 */
export function entryWritten(
  entry: { readonly kind: CreditEntryKind; readonly key?: string; readonly actor: string },
  select: Prisma.Sql,
): Prisma.Sql {
  const { kind, actor } = entry;
  const id = newId('creditEntry');
  const key = entry.key ?? creditKey(kind, id);
  return Prisma.sql`entry AS (
      INSERT INTO credit_entries (id, kind, key, actor, customer_id, currency, amount_minor, order_id,
        refund_id, expires_at, reason)
      SELECT ${id}, ${kind}::credit_entry_kind, ${key}, ${actor}, given.*
      FROM (${select}) AS given
      ON CONFLICT (key) DO NOTHING RETURNING *),
    balanced AS (
      UPDATE credit_accounts account SET balance_minor = account.balance_minor + entry.amount_minor,
        next_expiry_at = LEAST(account.next_expiry_at, entry.expires_at)
      FROM entry
      WHERE account.customer_id = entry.customer_id AND account.currency = entry.currency
      RETURNING account.customer_id)`;
}

/**
 * Spends credit on the order that the CTE `written` has returned, or fails the statement
 * (`isCreditShort`): CTEs of the statement that opens the order. What is locked after the account reads
 * `balanced`.
 */
export function creditSpent(orderId: OrderId, amountMinor: number): Prisma.Sql {
  const spent = { kind: 'spent', key: creditKey('spent', orderId), actor: CHECKOUT } as const;
  return Prisma.sql`, ${entryWritten(
    spent,
    Prisma.sql`SELECT customer_id, currency, ${-amountMinor}::integer, id, NULL, NULL::timestamptz, NULL
      FROM written`,
  )}`;
}

/** True when a statement failed because the customer has less credit, or none in the currency. */
export function isCreditShort(error: unknown): boolean {
  return SHORT.some((constraint) => violatesConstraint(error, constraint));
}

const SHORT = ['credit_accounts_not_overdrawn', 'credit_entries_account'];

/**
 * Gives back the credit of an order that ended unpaid, except what was given back before (`giveBackUnspent`)
 * and what refunds have made credit already.
 * Nothing for any other order, and nothing the second time. What comes back does not expire, so that
 * nothing is lost by a grant that expired while the order held it. Call it before the stock is locked.
 * `refundId`: a refund that failed after the order's end.
 */
export async function giveBackCredit(
  tx: Transaction,
  orderId: OrderId,
  refundId?: RefundId,
): Promise<void> {
  const entry = {
    kind: 'given_back',
    key: creditKey('given_back', refundId ?? orderId),
    actor: CHECKOUT,
  } as const;
  await tx.$executeRaw`
    WITH due AS (
      SELECT o.customer_id, o.currency, o.id, o.credit_minor - p.credited_minor - p.crediting_minor - (
        SELECT COALESCE(sum(amount_minor), 0)::integer FROM credit_entries
        WHERE order_id = o.id AND kind = 'given_back') AS minor
      FROM orders o JOIN payments p ON p.order_id = o.id
      WHERE o.id = ${orderId} AND o.credit_minor > 0
        AND o.status IN ('declined', 'expired', 'cancelled')),
    ${entryWritten(
      entry,
      Prisma.sql`SELECT customer_id, currency, minor, id, NULL, NULL::timestamptz, NULL
        FROM due WHERE minor > 0`,
    )} SELECT`;
}

/**
 * Gives back a part of the credit of an order of which not all is sent, once. Call it before the stock is
 * locked.
 */
export async function giveBackUnspent(
  tx: Transaction,
  orderId: OrderId,
  amountMinor: number,
): Promise<void> {
  if (amountMinor === 0) return;
  const key = creditKey('given_back', providerKey(orderId, 'reserve'));
  await tx.$executeRaw`
    WITH ${entryWritten(
      { kind: 'given_back', key, actor: CHECKOUT },
      Prisma.sql`SELECT customer_id, currency, ${amountMinor}::integer, id, NULL, NULL::timestamptz, NULL
        FROM orders WHERE id = ${orderId}`,
    )} SELECT`;
}

/** Adds the part of a refund that becomes credit, once. Opens the customer's account if there is none. */
export async function creditRefund(
  tx: Transaction,
  refund: { readonly id: RefundId; readonly orderId: OrderId; readonly creditMinor: number },
): Promise<void> {
  const { id, orderId, creditMinor } = refund;
  if (creditMinor === 0) return;
  // A statement of its own: the next one does not see the rows that it adds itself.
  await tx.$executeRaw`
    INSERT INTO credit_accounts (customer_id, currency)
    SELECT customer_id, currency FROM orders WHERE id = ${orderId} ON CONFLICT DO NOTHING`;
  const entry = { kind: 'refunded', key: creditKey('refunded', id), actor: CHECKOUT } as const;
  await tx.$executeRaw`
    WITH ${entryWritten(
      entry,
      Prisma.sql`SELECT customer_id, currency, ${creditMinor}::integer, id, ${id}, NULL::timestamptz, NULL
        FROM orders WHERE id = ${orderId}`,
    )} SELECT`;
}
