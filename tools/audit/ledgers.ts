/**
 * Compares our records with the sandbox's ledgers, which hold what really happened at the providers.
 * In production the reconciliation does this, from the providers' lists.
 */
import {
  findAuditedOrders,
  listAuditedIntents,
  type AuditedIntent,
  type AuditedOrder,
} from '../../prisma/operations/audit-queries.ts';
import { intentKey } from '../../domain/ids.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { Violation } from '../../prisma/operations/invariants.ts';
import { toStripeAmount } from '../../gateways/stripe/money.ts';
import type { Effect } from '../../local/sandbox/ledger.ts';
import { createSandboxClient, type SandboxClient, type SentText } from '../sandbox-client.ts';
import type { Check } from './check.ts';

const CALL_TIMEOUT_MS = 10_000;
/** Statuses after which no effect is in progress any more. */
const ENDED: readonly string[] = ['declined', 'expired', 'shipped', 'delivered', 'cancelled'];

export function ledgerChecks(options: {
  readonly db: Database;
  readonly sandboxUrl: string;
}): readonly Check[] {
  const sandbox = createSandboxClient({ url: options.sandboxUrl, timeoutMs: CALL_TIMEOUT_MS });
  return [
    {
      name: 'payment_ledger_agrees',
      title: 'The provider has each recorded charge, void and refund once, and no others',
      run: () => comparePayments(options.db, sandbox),
    },
    {
      name: 'warehouse_ledger_agrees',
      title: 'The warehouse reserved and shipped each order once, and no cancelled order',
      run: () => compareWarehouse(options.db, sandbox),
    },
    {
      name: 'sms_sent_once',
      title: 'No customer got a text message twice',
      run: async () => repeatedTexts(await sandbox.texts()),
    },
  ];
}

/**
 * The ledger is read before our records and again after them: each effect of the first was recorded
 * as an intent by then, and each effect that our records call done must be in the second.
 */
async function comparePayments(db: Database, sandbox: SandboxClient) {
  const before = lasting(await sandbox.ledger('payments'));
  const asked = await sandbox.challenges();
  const intents = (await listAuditedIntents(db)).map(asInLedger);
  const orders = await findAuditedOrders(db, [...orderIdsOf(before), ...asked]);
  const after = lasting(await sandbox.ledger('payments'));
  const waiting = await sandbox.challenges();
  const effects = new Map(after.map((each) => [each.key, each]));
  const known = new Map(intents.map((each) => [each.key, each]));
  return [
    ...repeated(after, ({ key, operation }) => `${key} ${operation}`),
    ...overRefunded(after),
    ...intents.flatMap((intent) => missing(intent, effects)),
    ...before
      // A bank's, not ours: the reconciliation finds it.
      .filter(({ operation }) => !operation.startsWith('dispute'))
      .flatMap((each) => unrecorded(each, known, orders)),
    ...waiting.flatMap((subject) => chargeable(subject, orders)),
  ];
}

/** A payment that its shopper never confirmed has to end with the order: it could be confirmed later. */
function chargeable(
  subject: string,
  orders: ReadonlyMap<string, AuditedOrder>,
): readonly Violation[] {
  const { status = 'pending' } = orders.get(subject) ?? {};
  if (!ENDED.includes(status)) return [];
  return [{ subject, detail: `${status}, and its payment can still be confirmed` }];
}

/** By the key of the intent, and without refunds that failed after they had succeeded. */
function lasting(ledger: readonly Effect[]): readonly Effect[] {
  const effects = ledger.map((each) => ({ ...each, key: intentKey(each.key) }));
  const failed = effects.filter(({ operation }) => operation === 'refund_failed');
  const keys = new Set(failed.map(({ key }) => key));
  return effects.filter(({ key }) => !keys.has(key));
}

/** The ledger has a refund that was made in the dashboard under its own id. */
function asInLedger(intent: AuditedIntent): AuditedIntent {
  return { ...intent, key: intent.key.replace(/^external\//, '') };
}

/** Refunds under different keys that together exceed what was captured. */
function overRefunded(effects: readonly Effect[]): readonly Violation[] {
  const left = new Map<string, number>();
  for (const { order_id, operation, amount_minor = 0 } of effects) {
    const sign = { capture: 1, refund: -1 }[operation] ?? 0;
    if (order_id !== null) left.set(order_id, (left.get(order_id) ?? 0) + sign * amount_minor);
  }
  return [...left].flatMap(([subject, minor]) =>
    minor < 0 ? [{ subject, detail: `refunded ${-minor} more than captured` }] : [],
  );
}

function missing(intent: AuditedIntent, effects: ReadonlyMap<string, Effect>) {
  if (!intent.succeeded) return [];
  const { key: subject, kind, amountMinor, currency } = intent;
  const effect = effects.get(subject);
  if (effect === undefined) {
    return [{ subject, detail: `${kind} in our records, not at the provider` }];
  }
  // The ledger has the amounts of the call: Stripe counts ISK in hundredths.
  const ours = `${kind} of ${toStripeAmount({ amountMinor, currency })} ${currency}`;
  const theirs = `${effect.operation} of ${effect.amount_minor} ${effect.currency}`;
  return ours === theirs ? [] : [{ subject, detail: `${ours} in our records, ${theirs} there` }];
}

/** While an order is in progress its provider may be ahead of our records, but not of our intents. */
function unrecorded(
  { key: subject, operation, order_id }: Effect,
  known: ReadonlyMap<string, AuditedIntent>,
  orders: ReadonlyMap<string, AuditedOrder>,
): readonly Violation[] {
  const intent = known.get(subject);
  if (intent === undefined) return [{ subject, detail: `${operation} that was never requested` }];
  const order = orders.get(order_id ?? intent.orderId);
  if (intent.succeeded || !order || !ENDED.includes(order.status)) return [];
  if (order.manualSteps.length > 0) return [];
  const where = `not in our records of a ${order.status} order`;
  return [{ subject, detail: `${operation} at the provider, ${where}` }];
}

async function compareWarehouse(db: Database, sandbox: SandboxClient) {
  const before = orderIdsOf(await sandbox.ledger('warehouse'));
  const orders = await findAuditedOrders(db, before);
  const after = await sandbox.ledger('warehouse');
  const operations = new Map<string, Set<string>>();
  for (const { order_id, operation } of after) {
    if (order_id === null) continue;
    operations.set(order_id, (operations.get(order_id) ?? new Set()).add(operation));
  }
  return [
    ...repeated(after, ({ order_id, operation }) => `${order_id} ${operation}`),
    ...before
      .filter((id) => !orders.has(id))
      .map((subject) => ({ subject, detail: 'goods of an order that does not exist' })),
    ...[...orders.values()].flatMap((order) =>
      compareOrder(order, operations.get(order.id) ?? new Set()),
    ),
  ];
}

function compareOrder(order: AuditedOrder, has: ReadonlySet<string>): readonly Violation[] {
  const { id: subject, status, manualSteps } = order;
  const found = (detail: string) => [{ subject, detail: `${status}, and the warehouse ${detail}` }];
  switch (status) {
    case 'shipped':
    case 'delivered':
      if (manualSteps.includes('shipOrder')) return [];
      if (!has.has('ship') || has.has('cancel')) return found('shipped nothing');
      if (!has.has('reserve')) return found('never reserved its goods');
      return has.has('release') ? found('released its goods') : [];
    case 'cancelled':
      if (has.has('reserve') && !has.has('release') && !manualSteps.includes('releaseStock')) {
        return found('still has its goods reserved');
      }
      if (!has.has('ship') || has.has('cancel') || order.shipmentStatus === 'refused') return [];
      return manualSteps.includes('cancelShipment') ? [] : found('has no cancel of its shipment');
    case 'pending':
    case 'declined':
    case 'expired':
      return has.size > 0 ? found('has effects of it') : [];
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

/** By its id: number and text are personal. */
function repeatedTexts(texts: readonly SentText[]): readonly Violation[] {
  const first = new Map<string, string>();
  return texts.flatMap(({ sid, to, body }) => {
    const name = `${to} ${body}`;
    const earlier = first.get(name);
    first.set(name, earlier ?? sid);
    return earlier === undefined ? [] : [{ subject: sid, detail: `the same as ${earlier}` }];
  });
}

function orderIdsOf(effects: readonly Effect[]): readonly string[] {
  return [...new Set(effects.flatMap(({ order_id }) => (order_id === null ? [] : [order_id])))];
}
