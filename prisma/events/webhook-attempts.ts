/** What became of every try to deliver a webhook, for whoever mends a receiver. Kept in bounds. */
import type { OrderId } from '../../domain/ids.ts';
import type { EventType } from '../../domain/order.ts';
import { headOf, type WebhookAttempt } from '../../domain/webhook.ts';
import type { Database } from '../client/client.ts';
import type { Prisma } from '../generated/client.ts';
import { trusted } from '../client/cast.ts';

/** Attempts kept per endpoint, give or take what is written between two trims. */
export const KEPT_ATTEMPTS = 10_000;
/** One attempt in so many trims: by chance, so that no endpoint's rows can dodge it. */
const TRIM_ONE_IN = 100;
const MAX_RESPONSE_LENGTH = 1_024;

export type NewAttempt = Omit<WebhookAttempt, 'id' | 'attemptedAt' | 'endpointId'>;

/** Writes an endpoint's attempts down. Nothing is written for an endpoint that is gone meanwhile. */
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
    INSERT INTO webhook_attempts
      (endpoint_id, event_id, event_type, outcome, status, latency_ms, error, response)
    SELECT e.id, "eventId", "eventType", outcome, a.status, "latencyMs", error, response
    FROM (SELECT id FROM webhook_endpoints WHERE id = ${endpointId} FOR KEY SHARE) e,
      jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS a ("eventId" uuid, "eventType" text,
        outcome webhook_attempt_outcome, status int, "latencyMs" int, error text, response text)`;
  if (Math.random() < attempts.length / TRIM_ONE_IN) await trimAttempts(db, endpointId);
}

/** Drops an endpoint's oldest attempts beyond `keep`. Returns how many. */
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

/** Those of the events that this endpoint has been sent before. */
export async function attemptedEvents(
  db: Database,
  endpointId: string,
  eventIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db.webhookAttempt.findMany({
    where: { endpointId, eventId: { in: [...eventIds] } },
    select: { eventId: true },
    distinct: ['eventId'],
  });
  return new Set(rows.map((row) => row.eventId));
}

export interface EventRef {
  readonly id: string;
  readonly orderId: OrderId;
  readonly time: string;
}

/** Events in a span of time [from, to), oldest first. */
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
  const types = span.types.length > 0 ? [...span.types] : null;
  const rows = await db.$queryRaw<{ id: string; orderId: OrderId; time: Date }[]>`
    SELECT id::text, order_id AS "orderId", time FROM events
    WHERE time >= ${span.from}::timestamptz AND time < ${span.to}::timestamptz
      AND (${types}::text[] IS NULL OR type = ANY(${types}::text[]))
    ORDER BY time, position LIMIT ${span.limit}`;
  return rows.map((row) => ({ ...row, time: row.time.toISOString() }));
}

function toAttempt(row: Prisma.WebhookAttemptGetPayload<object>): WebhookAttempt {
  return {
    ...row,
    id: row.id.toString(),
    attemptedAt: row.attemptedAt.toISOString(),
  };
}
