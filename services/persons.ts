/**
 * The rights of a person whose e-mail an order has: erasure (Article 17 GDPR), and access and portability
 * (Articles 15 and 20). What the providers hold is theirs to erase and export.
 */
import type { CustomerId, OrderId } from '../domain/ids.ts';
import type { Money } from '../domain/money.ts';
import { recordAction, type Operator } from '../prisma/access/operator-actions.ts';
import type { Database } from '../prisma/client/client.ts';
import { eraseCustomer, eraseOrder, listErasable, listUnderWay } from '../prisma/privacy/erase.ts';
import {
  exportCustomer,
  exportJobs,
  exportMessages,
  exportOrders,
} from '../prisma/privacy/export.ts';

export interface PersonRequest {
  /** As orders store it: in the form of `POST /v1/orders`. */
  readonly email: string;
  readonly by: Operator;
}

export type ErasureOutcome = {
  /** How many orders this call erased. */
  readonly orders: number;
} & (
  | {
      readonly kind: 'erased';
      readonly customerId: CustomerId;
      /** Store credit that can no longer be spent. */
      readonly creditLeft: readonly Money[];
    }
  /** No record has this e-mail. */
  | { readonly kind: 'unknown' }
  /** Some orders are not settled: repeat it when they are. */
  | { readonly kind: 'under_way'; readonly orderIds: readonly OrderId[] }
  /** The time was up: repeat it. */
  | { readonly kind: 'incomplete' }
);

/** Order ids in a refusal. */
const MAX_NAMED = 20;
const BATCH = 50;

/**
 * Erases the person, order by order, for at most `withinMs`. Nothing is erased while an order or refund
 * is under way, because the parcel needs an address and the customer an answer. Repeating it continues
 * where it stopped, and changes nothing when it was complete.
 */
export async function erasePerson(
  { db }: { readonly db: Database },
  { email, by, withinMs }: PersonRequest & { readonly withinMs: number },
): Promise<ErasureOutcome> {
  const endsAtMs = Date.now() + withinMs;
  let orders = 0;
  for (;;) {
    const underWay = await listUnderWay(db, { email, limit: MAX_NAMED });
    if (underWay.length > 0) return { kind: 'under_way', orderIds: underWay, orders };
    for (const orderId of await listErasable(db, { email, limit: BATCH })) {
      if (Date.now() > endsAtMs) return { kind: 'incomplete', orders };
      if (await eraseOrder(db, orderId, by)) orders += 1;
    }
    // A concurrent order of the same e-mail is seen here, and named by the next round.
    const outcome = await eraseCustomer(db, { email, by, orders });
    if (outcome.kind !== 'has_orders') return { ...outcome, orders };
  }
}

/**
 * Everything our records hold about the person, as one document: the rows as they are, their columns by
 * name. The audit log records the export of a customer.
 */
export async function exportPerson(
  { db }: { readonly db: Database },
  { email, by }: PersonRequest,
) {
  const customer = await exportCustomer(db, email);
  if (customer !== null) {
    const action = { action: 'customer.exported', subject: customer.id };
    await db.$transaction((tx) => recordAction(tx, by, action));
  }
  const orders = [];
  let after: OrderId | null = null;
  for (;;) {
    const page = await exportOrders(db, { email, after, limit: BATCH });
    orders.push(...page.map(({ row }) => row));
    after = page.at(-1)?.id ?? null;
    if (page.length < BATCH) break;
  }
  return {
    object: 'person' as const,
    email,
    exported_at: new Date().toISOString(),
    customer: customer?.row ?? null,
    orders,
    messages: [...(await exportMessages(db, email))],
    jobs: [...(await exportJobs(db, email))],
  };
}
