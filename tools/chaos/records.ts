/**
 * The books after a run: every order as our database has it, and what really happened at the
 * providers by their own ledgers. Reads them and says where they disagree; it believes neither.
 */
import pg from 'pg';
import { z } from 'zod';

export interface OrderRecord {
  readonly id: string;
  readonly status: string;
  readonly totalMinor: number;
  readonly currency: string;
  readonly attentionStep: string | null;
  /** A person is told of it: an open dead letter carries the order's step. */
  readonly hasDeadLetter: boolean;
}

export interface Effect {
  readonly operation: string;
  readonly orderId: string | null;
  readonly amountMinor: number | null;
  readonly currency: string | null;
}

export interface Records {
  readonly orders: readonly OrderRecord[];
  readonly payments: readonly Effect[];
  readonly warehouse: readonly Effect[];
}

const TIMEOUT_MS = 10_000;

const ordersForm = z.array(
  z.object({
    id: z.string(),
    status: z.string(),
    totalMinor: z.number(),
    currency: z.string(),
    attentionStep: z.string().nullable(),
    hasDeadLetter: z.boolean(),
  }),
);
const eventsForm = z.array(z.object({ id: z.string() }));
const ledgerForm = z.object({
  effects: z.array(
    z
      .object({
        operation: z.string(),
        order_id: z.string().nullable(),
        amount_minor: z.number().optional(),
        currency: z.string().optional(),
      })
      .transform(({ operation, order_id, amount_minor, currency }) => ({
        operation,
        orderId: order_id,
        amountMinor: amount_minor ?? null,
        currency: currency ?? null,
      })),
  ),
});

/** Every order there is. Throws when the database cannot be asked. */
export async function readOrders(databaseUrl: string): Promise<readonly OrderRecord[]> {
  const rows = await query(
    databaseUrl,
    `SELECT id, status, total_minor AS "totalMinor", currency, attention_step AS "attentionStep",
       EXISTS (SELECT FROM dead_letters d WHERE d.order_id = o.id AND d.status = 'open') AS "hasDeadLetter"
     FROM orders o ORDER BY id`,
  );
  return ordersForm.parse(rows);
}

/** The id of every event in the log. Throws when the database cannot be asked. */
export async function readEventIds(databaseUrl: string): Promise<readonly string[]> {
  const rows = await query(databaseUrl, 'SELECT id FROM events ORDER BY xid, position');
  return eventsForm.parse(rows).map(({ id }) => id);
}

async function query(databaseUrl: string, text: string): Promise<unknown> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query(text);
    return rows;
  } finally {
    await client.end();
  }
}

/** One provider's ledger. Throws when the sandbox cannot be asked. */
export async function readLedger(
  sandbox: string,
  provider: 'payments' | 'warehouse',
): Promise<readonly Effect[]> {
  const answer = await fetch(`${sandbox}/ledger/${provider}`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return ledgerForm.parse(await answer.json()).effects;
}

/** What the ledgers say otherwise than our books, one line each. */
export function compareRecords({ orders, payments, warehouse }: Records): readonly string[] {
  const wrong: string[] = [];
  const known = new Set(orders.map(({ id }) => id));
  for (const { operation, orderId } of [...payments, ...warehouse]) {
    if (orderId === null || !known.has(orderId)) {
      wrong.push(`${operation} for ${orderId ?? 'nobody'}: no such order`);
    }
  }
  const [money, goods] = [byOrder(payments), byOrder(warehouse)];
  for (const order of orders) {
    const effects = [...(money.get(order.id) ?? []), ...(goods.get(order.id) ?? [])];
    wrong.push(...differences(order, effects));
  }
  return wrong;
}

type Counts = Readonly<Record<string, number>>;

/** How often each effect has to be there for an order at rest; what is absent must not be there. */
const EXPECTED: Readonly<Record<string, (seen: Counts) => Counts | null>> = {
  shipped: () => ({ authorize: 1, capture: 1, reserve: 1, ship: 1 }),
  delivered: () => ({ authorize: 1, capture: 1, reserve: 1, ship: 1 }),
  cancelled: undone,
  declined: () => ({}),
  // Nobody authorized, or what was authorized was let go.
  expired: ({ authorize = 0 }) => (authorize === 0 ? {} : { authorize: 1, void: 1 }),
  pending: ({ authorize = 0 }) => (authorize === 0 ? {} : { authorize: 1 }),
};

/** Whatever was done is undone once: money that was taken is back, a parcel asked for was stopped. */
function undone({ capture = 0, reserve = 0, ship = 0 }: Counts): Counts {
  return {
    authorize: 1,
    ...(capture === 0 ? { void: 1 } : { capture: 1, refund: 1 }),
    ...(reserve > 0 && { reserve: 1, release: 1 }),
    ...(ship > 0 && { ship: 1, cancel: 1 }),
  };
}

function differences(order: OrderRecord, effects: readonly Effect[]): string[] {
  const wrong: string[] = [];
  const seen: Record<string, number> = {};
  for (const { operation, amountMinor, currency } of effects) {
    seen[operation] = (seen[operation] ?? 0) + 1;
    if (amountMinor === null) continue;
    if (amountMinor === order.totalMinor && currency === order.currency) continue;
    const what = `${operation} of ${amountMinor} ${currency ?? ''}`;
    wrong.push(`${order.id}: ${what}, ordered for ${order.totalMinor} ${order.currency}`);
  }
  const expected = EXPECTED[order.status]?.(seen);
  // Not at rest, or with a person: only that nothing happened twice can be said.
  const most = expected ?? Object.fromEntries(Object.keys(seen).map((name) => [name, 1]));
  for (const name of new Set([...Object.keys(seen), ...Object.keys(most)])) {
    const [is, shouldBe] = [seen[name] ?? 0, most[name] ?? 0];
    if (is === shouldBe) continue;
    wrong.push(`${order.id} (${order.status}): ${name} happened ${is} times, not ${shouldBe}`);
  }
  return wrong;
}

function byOrder(effects: readonly Effect[]): ReadonlyMap<string, readonly Effect[]> {
  const found = new Map<string, Effect[]>();
  for (const effect of effects) {
    if (effect.orderId === null) continue;
    const list = found.get(effect.orderId) ?? [];
    list.push(effect);
    found.set(effect.orderId, list);
  }
  return found;
}
