/**
 * The only writer of `orders.status`, `orders.version` and `events`. State and event are one raw SQL
 * statement, so neither can exist without the other (G7); the per-order sequence has no gaps, because
 * the version is incremented under the order's row lock.
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
import { resolveStepDeadLetters } from '../events/dead-letters.ts';

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
}

export type TransitionOutcome =
  | { readonly kind: 'changed'; readonly version: number; readonly at: string }
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
  return db.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${orderId}, 0))`;
    return work(tx);
  });
}

/**
 * Moves an order to a status, or records a fact about it, together with its event.
 */
export async function transitionOrder(
  tx: Transaction,
  change: Transition,
): Promise<TransitionOutcome> {
  const dedupKey = change.dedupKey === undefined ? change.type : change.dedupKey;
  const to = change.to ?? null;
  const rows = await tx.$queryRaw<{ version: number; at: Date; waited: boolean }[]>`
    WITH before AS (SELECT attention_step FROM orders WHERE id = ${change.orderId}),
    moved AS (
      UPDATE orders SET
        status = COALESCE(${to}, status),
        version = version + 1,
        updated_at = now(),
        placed_at = CASE WHEN ${to} = 'placed' THEN COALESCE(placed_at, now()) ELSE placed_at END,
        cancel_reason = COALESCE(${change.cancelReason ?? null}, cancel_reason),
        attention_step = CASE WHEN ${to}::text IS NULL
          THEN COALESCE(${change.attentionStep ?? null}, attention_step)
          ELSE ${change.attentionStep ?? null} END
      WHERE id = ${change.orderId}
        AND (${to}::text IS NULL OR status = ANY(${to === null ? [] : sourcesOf(to)}))
        AND NOT EXISTS (
          SELECT 1 FROM events WHERE order_id = ${change.orderId} AND dedup_key = ${dedupKey})
      RETURNING id, version, correlation_id, traceparent, updated_at
    )
    INSERT INTO events
      (id, type, order_id, seq, dedup_key, correlation_id, causation_id, traceparent, data)
    SELECT ${randomUUID()}::uuid, ${change.type}, id, version, ${dedupKey}, correlation_id,
           ${change.causationId ?? null}, traceparent, ${JSON.stringify(change.data ?? {})}::jsonb
    FROM moved
    RETURNING seq AS version, time AS at,
      (SELECT attention_step IS NOT NULL FROM before) AS waited`;
  const written = rows[0];
  if (written) {
    if (change.endsAttention && written.waited) await resolveStepDeadLetters(tx, change.orderId);
    return { kind: 'changed', version: written.version, at: written.at.toISOString() };
  }
  return explainRefusal(tx, { orderId: change.orderId, to, dedupKey });
}

async function explainRefusal(
  tx: Transaction,
  refused: { orderId: OrderId; to: OrderStatus | null; dedupKey: string | null },
): Promise<TransitionOutcome> {
  const rows = await tx.$queryRaw<{ status: OrderStatus; already: boolean }[]>`
    SELECT status, EXISTS (
      SELECT 1 FROM events e WHERE e.order_id = o.id AND e.dedup_key = ${refused.dedupKey}) AS already
    FROM orders o WHERE id = ${refused.orderId}`;
  const order = rows[0];
  if (!order) return { kind: 'not_found' };
  if (order.already || order.status === refused.to) return { kind: 'already' };
  return { kind: 'forbidden', status: order.status };
}
