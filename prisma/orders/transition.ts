/**
 * Alone changes `orders.status` and `orders.version`; place-order.ts writes the first, `pending`, with
 * its event. State and event are one raw SQL statement, so neither can exist without the other. The
 * sequence of each order's events has no gaps: the version is incremented under the order's row lock.
 */
import { randomUUID } from 'node:crypto';
import type { OrderId } from '../../domain/ids.ts';
import {
  sourcesOf,
  type CancelReason,
  type EventType,
  type OrderStatus,
} from '../../domain/order.ts';
import type { Database, Transaction } from '../client/client.ts';
import { notifyOrderChanged } from '../client/notify.ts';
import { Prisma } from '../generated/client.ts';

export interface Transition {
  readonly orderId: OrderId;
  readonly type: EventType;
  /** The status to enter; left out for a fact that changes no status. */
  readonly to?: OrderStatus;
  readonly data?: Readonly<Record<string, unknown>>;
  /** What makes the event unique within the order; by default the type. `null`: it may repeat. */
  readonly dedupKey?: string | null;
  readonly causationId?: string;
  readonly cancelReason?: CancelReason;
  /** The steps that wait for a person from now on. */
  readonly attentionStep?: string;
  /** If the order waited for a person, no decision is needed any more: its dead letters are resolved. */
  readonly endsAttention?: boolean;
  /** From now on the order is not placed after so long. */
  readonly deadlineMs?: number;
  /** A query: the change is not made when it finds a row. */
  readonly unless?: Prisma.Sql;
}

export type TransitionOutcome =
  | {
      readonly kind: 'changed';
      readonly version: number;
      readonly at: string;
      /** Null: the order was never placed. */
      readonly placedAt: string | null;
    }
  /** The same change was made before; nothing was written. */
  | { readonly kind: 'already' }
  /** The transition table forbids it from the order's status; nothing was written. */
  | { readonly kind: 'forbidden'; readonly status: OrderStatus }
  | { readonly kind: 'not_found' };

/**
 * A transaction under the order's lock. The lock is taken before the first write: PostgreSQL numbers a
 * transaction at its first write, even if it then waits for a row, and the event log is read in the
 * order of those numbers. So the log has an order's events in the order of their sequence.
 */
export async function orderTransaction<T>(
  db: Database,
  orderId: OrderId,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const result = await db.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${orderId}, 0))`;
    return work(tx);
  });
  notifyOrderChanged(db, orderId);
  return result;
}

/**
 * Moves an order to a status, or records a fact about it, together with its event. Call it in an
 * `orderTransaction`.
 */
export async function transitionOrder(
  tx: Transaction,
  change: Transition,
): Promise<TransitionOutcome> {
  return (await tryTransition(tx, change, UNDER_LOCK)) ?? explainRefusal(tx, change);
}

/**
 * The same for a change that is a whole transaction: one round trip instead of five. `alongside` are
 * further writes of the statement, as CTEs that read `moved`.
 */
export async function transitionAlone(
  db: Database,
  change: Transition,
  alongside: Prisma.Sql = Prisma.empty,
): Promise<TransitionOutcome> {
  const changed = await tryTransitionAlone(db, change, alongside);
  if (changed) return changed;
  return orderTransaction(db, change.orderId, async (tx) => {
    const how = { ...UNDER_LOCK, alongside };
    return (await tryTransition(tx, change, how)) ?? explainRefusal(tx, change);
  });
}

/**
 * The same without a second try: null when nothing was moved, because the change is refused or another
 * transaction was about to change the order.
 */
export async function tryTransitionAlone(
  db: Database,
  change: Transition,
  alongside: Prisma.Sql,
): Promise<Changed | null> {
  const changed = await tryTransition(db, change, { alongside });
  if (changed) notifyOrderChanged(db, change.orderId);
  return changed;
}

const UNDER_LOCK = { isLocked: true };

type Changed = Extract<TransitionOutcome, { kind: 'changed' }>;

interface Statement {
  /** Further writes, as CTEs that read `moved`. */
  readonly alongside?: Prisma.Sql;
  readonly isLocked?: boolean;
}

/**
 * The change, its event and what is written alongside, in one statement. Null when nothing was moved:
 * the change is refused, or another transaction has the order's lock or changed the order meanwhile. The
 * statement sees the database as it was when the statement began. So it takes the lock without waiting,
 * and `xmin`, which each change of a row replaces, tells whether that order is still the current one.
 * `isLocked`: the transaction has had the lock since before the statement. Then only columns that no change
 * depends on can be written meanwhile, e.g. `checked_at`, and `xmin` is not compared.
 */
async function tryTransition(
  tx: Transaction,
  change: Transition,
  { alongside = Prisma.empty, isLocked = false }: Statement = {},
): Promise<Changed | null> {
  const to = change.to ?? null;
  const rows = await tx.$queryRaw<{ version: number; at: Date; placedAt: Date | null }[]>`
    WITH locked AS MATERIALIZED (
      SELECT pg_try_advisory_xact_lock(hashtextextended(${change.orderId}, 0)) AS is_locked),
    before AS MATERIALIZED (
      SELECT xmin, attention_step FROM orders WHERE id = ${change.orderId}),
    moved AS (
      UPDATE orders SET
        status = COALESCE(${to}, orders.status),
        version = orders.version + 1,
        updated_at = now(),
        placed_at = CASE WHEN ${to} = 'placed' THEN COALESCE(placed_at, now()) ELSE placed_at END,
        deadline_at = COALESCE(
          now() + ${change.deadlineMs ?? null}::float8 * interval '1 ms', deadline_at),
        cancel_reason = COALESCE(${change.cancelReason ?? null}, cancel_reason),
        attention_step = CASE WHEN ${to}::text IS NULL
          THEN COALESCE(${change.attentionStep ?? null}, orders.attention_step)
          ELSE ${change.attentionStep ?? null} END
      FROM locked, before
      WHERE is_locked AND orders.id = ${change.orderId}
        AND (${isLocked} OR orders.xmin = before.xmin)
        AND (${to}::text IS NULL OR orders.status = ANY(${to === null ? [] : sourcesOf(to)}))
        AND NOT EXISTS (
          SELECT 1 FROM events WHERE order_id = ${change.orderId} AND dedup_key = ${dedupKeyOf(change)})
        AND NOT EXISTS (${change.unless ?? Prisma.sql`SELECT WHERE false`})
      RETURNING orders.id, orders.version, correlation_id, traceparent, updated_at, placed_at
    ),
    resolved AS (${stepDeadLettersResolved(change)})
    ${alongside}
    ${eventOf(change, 'moved')}
    RETURNING seq AS version, time AS at, (SELECT placed_at FROM moved) AS "placedAt"`;
  const [written] = rows;
  if (!written) return null;
  const { version, at, placedAt } = written;
  return {
    kind: 'changed',
    version,
    at: at.toISOString(),
    placedAt: placedAt?.toISOString() ?? null,
  };
}

/** The INSERT of the change's event, about the order that the CTE `written` has returned. */
export function eventOf(change: Transition, written: 'moved' | 'written'): Prisma.Sql {
  return Prisma.sql`
    INSERT INTO events
      (id, type, order_id, seq, dedup_key, correlation_id, causation_id, traceparent, data)
    SELECT ${randomUUID()}::uuid, ${change.type}, id, version, ${dedupKeyOf(change)},
      correlation_id, ${change.causationId ?? null}, traceparent,
      ${JSON.stringify(change.data ?? {})}::jsonb
    FROM ${Prisma.raw(written)}`;
}

/** The order's steps wait for no decision any more: their live dead letters are resolved. */
function stepDeadLettersResolved({ orderId, endsAttention = false }: Transition): Prisma.Sql {
  return Prisma.sql`
    UPDATE dead_letters SET status = 'resolved', decided_at = COALESCE(decided_at, now())
    FROM moved, before
    WHERE ${endsAttention} AND before.attention_step IS NOT NULL
      AND source = 'checkout' AND order_id = ${orderId} AND status IN ('open', 'redriven')`;
}

function dedupKeyOf({ type, dedupKey = type }: Transition): string | null {
  return dedupKey;
}

async function explainRefusal(tx: Transaction, refused: Transition): Promise<TransitionOutcome> {
  const rows = await tx.$queryRaw<{ status: OrderStatus; already: boolean }[]>`
    SELECT status, EXISTS (
      SELECT 1 FROM events e WHERE e.order_id = o.id AND e.dedup_key = ${dedupKeyOf(refused)}) AS already
    FROM orders o WHERE id = ${refused.orderId}`;
  const order = rows[0];
  if (!order) return { kind: 'not_found' };
  if (order.already || order.status === refused.to) return { kind: 'already' };
  return { kind: 'forbidden', status: order.status };
}
