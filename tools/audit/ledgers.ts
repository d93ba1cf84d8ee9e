/**
 * Our books beside the providers' own, where those can be asked for: the sandbox keeps a ledger of
 * what really happened. In production that is the reconciliation's work, from the providers' lists.
 */
import { z } from 'zod';
import {
  findAuditedOrders,
  listAuditedIntents,
  type AuditedIntent,
  type AuditedOrder,
} from '../../prisma/operations/audit-queries.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { Violation } from '../../prisma/operations/invariants.ts';
import type { Check } from './check.ts';

export interface LedgerChecksOptions {
  readonly db: Database;
  /** Where the sandbox is. */
  readonly sandboxUrl: string;
}

const CALL_DEADLINE_MS = 10_000;
const effect = z.object({
  key: z.string(),
  operation: z.string(),
  order_id: z.string().nullable(),
  amount_minor: z.number().optional(),
  currency: z.string().optional(),
});
type Effect = z.infer<typeof effect>;
const ledgerSchema = z.object({ effects: z.array(effect) });
/** Nothing is under way for these any more. */
const ENDED: readonly string[] = ['declined', 'expired', 'shipped', 'delivered', 'cancelled'];

export function ledgerChecks(options: LedgerChecksOptions): readonly Check[] {
  return [
    {
      name: 'payment_ledger_agrees',
      title: 'What our books say was charged, voided and refunded is what the provider did, once',
      run: () => comparePayments(options),
    },
    {
      name: 'warehouse_ledger_agrees',
      title: 'The warehouse reserved and sent each order once, and what was cancelled not at all',
      run: () => compareWarehouse(options),
    },
  ];
}

/**
 * The ledger is read before our books and after: everything in the first was written down as an
 * intent by then, and everything our books have as done must be in the second.
 */
async function comparePayments({ db, sandboxUrl }: LedgerChecksOptions) {
  const before = await readLedger(sandboxUrl, 'payments');
  const intents = await listAuditedIntents(db);
  const orders = await findAuditedOrders(db, ordersOf(before));
  const after = await readLedger(sandboxUrl, 'payments');
  const done = new Map(after.map((each) => [each.key, each]));
  const known = new Map(intents.map((each) => [each.key, each]));
  return [
    ...repeated(after, ({ key, operation }) => `${key} ${operation}`),
    ...intents.flatMap((intent) => missing(intent, done)),
    ...before.flatMap((each) => unbooked(each, known, orders)),
  ];
}

function missing(intent: AuditedIntent, done: ReadonlyMap<string, Effect>): readonly Violation[] {
  if (!intent.succeeded) return [];
  const { key: subject, kind, amountMinor, currency } = intent;
  const theirs = done.get(subject);
  if (theirs === undefined)
    return [{ subject, detail: `${kind} in our books, not at the provider` }];
  if (theirs.amount_minor === amountMinor && theirs.currency === currency) return [];
  const ours = `${amountMinor} ${currency}`;
  return [
    { subject, detail: `${ours} in our books, ${theirs.amount_minor} ${theirs.currency} there` },
  ];
}

/** While an order moves its provider may be ahead of our books; not by what nobody asked for. */
function unbooked(
  { key: subject, operation, order_id }: Effect,
  known: ReadonlyMap<string, AuditedIntent>,
  orders: ReadonlyMap<string, AuditedOrder>,
): readonly Violation[] {
  const intent = known.get(subject);
  if (intent === undefined) return [{ subject, detail: `${operation} that nobody here asked for` }];
  const order = orders.get(order_id ?? intent.orderId);
  if (intent.succeeded || !order || !ENDED.includes(order.status)) return [];
  if (order.isManual.length > 0) return [];
  return [
    {
      subject,
      detail: `${operation} at the provider, not in the books of a ${order.status} order`,
    },
  ];
}

async function compareWarehouse({ db, sandboxUrl }: LedgerChecksOptions) {
  const before = await readLedger(sandboxUrl, 'warehouse');
  const orders = await findAuditedOrders(db, ordersOf(before));
  const after = await readLedger(sandboxUrl, 'warehouse');
  const unknown = ordersOf(before).filter((id) => !orders.has(id));
  const operations = new Map<string, Set<string>>();
  for (const { order_id, operation } of after) {
    if (order_id === null) continue;
    operations.set(order_id, (operations.get(order_id) ?? new Set()).add(operation));
  }
  return [
    ...repeated(after, ({ order_id, operation }) => `${order_id} ${operation}`),
    ...unknown.map((subject) => ({ subject, detail: 'goods of an order that does not exist' })),
    ...[...orders.values()].flatMap((order) =>
      compareOrder(order, operations.get(order.id) ?? new Set()),
    ),
  ];
}

function compareOrder(order: AuditedOrder, has: ReadonlySet<string>): readonly Violation[] {
  const { id: subject, status, isManual } = order;
  const said = (detail: string) => [{ subject, detail: `${status}, and the warehouse ${detail}` }];
  switch (status) {
    case 'shipped':
    case 'delivered':
      if (isManual.includes('shipOrder')) return [];
      if (!has.has('ship') || has.has('cancel')) return said('sent nothing');
      return has.has('release') ? said('released its goods') : [];
    case 'cancelled':
      if (has.has('reserve') && !has.has('release') && !isManual.includes('releaseStock')) {
        return said('still has its goods reserved');
      }
      if (!has.has('ship') || has.has('cancel') || order.shipmentStatus === 'refused') return [];
      return isManual.includes('cancelShipment') ? [] : said('was never told not to ship');
    case 'pending':
    case 'declined':
    case 'expired':
      return has.size > 0 ? said('was asked for it') : [];
    case 'placed':
    case 'reserved':
    case 'paid':
    case 'cancelling':
    case 'needs_attention':
      return [];
  }
}

function repeated(
  effects: readonly Effect[],
  nameOf: (effect: Effect) => string,
): readonly Violation[] {
  const counts = new Map<string, number>();
  for (const each of effects) counts.set(nameOf(each), (counts.get(nameOf(each)) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > 1)
    .map(([subject, count]) => ({ subject, detail: `happened ${count} times` }));
}

function ordersOf(effects: readonly Effect[]): readonly string[] {
  return [...new Set(effects.flatMap(({ order_id }) => (order_id === null ? [] : [order_id])))];
}

async function readLedger(sandboxUrl: string, provider: 'payments' | 'warehouse') {
  const signal = AbortSignal.timeout(CALL_DEADLINE_MS);
  const answer = await fetch(new URL(`/ledger/${provider}`, sandboxUrl), { signal });
  if (!answer.ok) throw new Error(`${provider} ledger: status ${answer.status}`);
  return ledgerSchema.parse(await answer.json()).effects;
}
