/**
 * The retention period of personal data: which orders and guests are erased, and their erasure. A registered
 * customer stays: the account ends on request. Raw SQL for the database's clock.
 */
import type { CustomerId, OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';
import { orderTransaction } from '../orders/transition.ts';
import { eraseCustomerWithin, eraseOrderWithin, IS_SETTLED } from './erase.ts';

/** Settled orders that have not changed for `days`, oldest first, with the e-mail of each. */
export async function listOutdated(
  db: Database,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<readonly { readonly id: OrderId; readonly email: string }[]> {
  return db.$queryRaw`
    SELECT o.id, o.customer_email AS email FROM orders o
    WHERE o.erased_at IS NULL AND ${IS_SETTLED}
      AND o.created_at < now() - ${days} * interval '1 day'
      AND o.updated_at < now() - ${days} * interval '1 day'
    ORDER BY o.created_at LIMIT ${limit}`;
}

/** Erases an order from `listOutdated`, and the guest with the last order. False: it was erased before, or is under way. */
export async function eraseOutdatedOrder(
  db: Database,
  { id, email }: { readonly id: OrderId; readonly email: string },
): Promise<boolean> {
  return orderTransaction(db, id, async (tx) => {
    const isErased = await eraseOrderWithin(tx, id, 'system');
    if (isErased) await eraseGuest(tx, { email, orders: 1 });
    return isErased;
  });
}

/** Guests whose orders are all erased, and whose store credit is spent or expired since. */
export async function listOutdatedGuests(
  db: Database,
  limit: number,
): Promise<readonly { readonly id: CustomerId; readonly email: string }[]> {
  return db.$queryRaw`
    SELECT id, email FROM customers c
    WHERE kept_for_credit_at IS NOT NULL AND email IS NOT NULL AND registered_at IS NULL
      AND NOT EXISTS (
        SELECT FROM credit_accounts WHERE customer_id = c.id AND balance_minor > 0)
      AND NOT EXISTS (SELECT FROM orders WHERE customer_email = c.email)
    ORDER BY kept_for_credit_at LIMIT ${limit}`;
}

/** Erases a guest from `listOutdatedGuests`, unless there is an order or store credit by now. */
export async function eraseOutdatedGuest(db: Database, email: string): Promise<void> {
  await db.$transaction((tx) => eraseGuest(tx, { email, orders: 0 }));
}

/** A guest who has store credit left to spend is kept for `listOutdatedGuests`. */
async function eraseGuest(
  tx: Transaction,
  { email, orders }: { readonly email: string; readonly orders: number },
): Promise<void> {
  const [guest] = await tx.$queryRaw<{ hasCredit: boolean }[]>`
    SELECT EXISTS (
      SELECT FROM credit_accounts WHERE customer_id = c.id AND balance_minor > 0) AS "hasCredit"
    FROM customers c WHERE email = ${email} AND registered_at IS NULL FOR UPDATE`;
  if (guest?.hasCredit === false) await eraseCustomerWithin(tx, { email, by: 'system', orders });
  if (guest?.hasCredit !== true) return;
  await tx.$executeRaw`
    UPDATE customers SET kept_for_credit_at = now() WHERE email = ${email}
      AND NOT EXISTS (SELECT FROM orders WHERE customer_email = ${email})`;
}
