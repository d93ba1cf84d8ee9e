/** Attempts to deliver webhooks, for debugging a receiver. A bounded number is kept. */
import type { OrderId } from '../../domain/ids.ts';
import type { EventType } from '../../domain/order.ts';
import { headOf } from '../../domain/text.ts';
import type { WebhookAttempt } from '../../domain/webhook.ts';
import type { Database } from '../client/client.ts';
import { uncheckedColumn } from '../client/columns.ts';
import type { Prisma } from '../generated/client.ts';

/** Attempts kept per endpoint, plus those written between two trims. */
export const KEPT_ATTEMPTS = 10_000;
/** One attempt in this many trims, at random, so that every endpoint is trimmed. */
const TRIM_ONE_IN = 100;
const MAX_RESPONSE_LENGTH = 1_024;

export type NewAttempt = Omit<WebhookAttempt, 'id' | 'attemptedAt' | 'endpointId'>;

/**
 * Records an endpoint's attempts. Nothing is written for a deleted endpoint, and no response about an erased
 * order: the lock on the order excludes an erasure at the same time. Raw: FOR SHARE.
 */
export async function recordAttempts(
  db: Database,
  endpointId: string,
  attempts: readonly NewAttempt[],
): Promise<void> {
  const rows = attempts.map(({ response, ...rest }) => ({
    ...rest,
    response: response === null ? null : headOf(response, MAX_RESPONSE_LENGTH),
  }));
  await db.$executeRaw`
    WITH given AS MATERIALIZED (
      SELECT a.*, events.order_id
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS a ("eventId" uuid, "eventType" text,
        outcome webhook_attempt_outcome, status int, "latencyMs" int, error text, response text)
      LEFT JOIN events ON events.id = a."eventId"),
    locked AS MATERIALIZED (
      SELECT id, erased_at FROM orders
      WHERE id IN (SELECT order_id FROM given WHERE response IS NOT NULL) ORDER BY id FOR SHARE)
    INSERT INTO webhook_attempts
      (endpoint_id, event_id, event_type, outcome, status, latency_ms, error, response)
    SELECT e.id, "eventId", "eventType", outcome, given.status, "latencyMs", error,
      CASE WHEN locked.erased_at IS NULL THEN response END
    FROM (SELECT id FROM webhook_endpoints WHERE id = ${endpointId} FOR KEY SHARE) e,
      given LEFT JOIN locked ON locked.id = given.order_id`;
  if (Math.random() < attempts.length / TRIM_ONE_IN) await trimAttempts(db, endpointId);
}

/** Deletes an endpoint's oldest attempts beyond `keep`. Returns how many. Raw: a DELETE with OFFSET. */
export async function trimAttempts(
  db: Database,
  endpointId: string,
  keep: number = KEPT_ATTEMPTS,
): Promise<number> {
  return db.$executeRaw`
    DELETE FROM webhook_attempts WHERE endpoint_id = ${endpointId} AND id <= (
      SELECT id FROM webhook_attempts WHERE endpoint_id = ${endpointId}
      ORDER BY id DESC OFFSET ${keep} LIMIT 1)`;
}

/** Newest first, one page after `startingAfter`. */
export async function listAttempts(
  db: Database,
  filter: { readonly endpointId: string; readonly eventId?: string | undefined },
  page: { readonly limit: number; readonly startingAfter?: bigint | undefined },
): Promise<{ readonly attempts: readonly WebhookAttempt[]; readonly hasMore: boolean }> {
  const { endpointId, eventId } = filter;
  const rows = await db.webhookAttempt.findMany({
    where: {
      endpointId,
      ...(eventId !== undefined && { eventId }),
      ...(page.startingAfter !== undefined && { id: { lt: page.startingAfter } }),
    },
    orderBy: { id: 'desc' },
    take: page.limit + 1,
  });
  return { attempts: rows.slice(0, page.limit).map(toAttempt), hasMore: rows.length > page.limit };
}

export interface EventRef {
  readonly id: string;
  readonly orderId: OrderId;
  readonly time: string;
}

/** Events of a time span [from, to), oldest first. */
export async function listEventsBetween(
  db: Database,
  span: {
    readonly from: string;
    readonly to: string;
    /** Empty: every type. */
    readonly types: readonly EventType[];
    readonly limit: number;
  },
): Promise<readonly EventRef[]> {
  const rows = await db.event.findMany({
    where: {
      time: { gte: new Date(span.from), lt: new Date(span.to) },
      ...(span.types.length > 0 && { type: { in: [...span.types] } }),
    },
    orderBy: [{ time: 'asc' }, { position: 'asc' }],
    take: span.limit,
    select: { id: true, orderId: true, time: true },
  });
  return rows.map(({ id, orderId, time }) => ({
    id,
    orderId: uncheckedColumn<OrderId>(orderId),
    time: time.toISOString(),
  }));
}

function toAttempt(row: Prisma.WebhookAttemptGetPayload<object>): WebhookAttempt {
  return {
    ...row,
    id: row.id.toString(),
    attemptedAt: row.attemptedAt.toISOString(),
  };
}
