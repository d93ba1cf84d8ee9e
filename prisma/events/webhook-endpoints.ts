/**
 * Webhook endpoints. Each is created and deleted with its subscription, in one transaction. Secrets are
 * stored in clear text, because they sign; only the sender and, once, the owner receive them.
 */
import { randomBytes } from 'node:crypto';
import type { EventType } from '../../domain/order.ts';
import { webhookSubscription, type WebhookEndpoint } from '../../domain/webhook.ts';
import type { Database, Transaction } from '../client/client.ts';
import { cursorNow } from './event-log.ts';
import type { Prisma } from '../generated/client.ts';
import { insertCompletedKey, type KeyClaim, type StoredResponse } from '../access/idempotency.ts';
import { newId } from '../client/ids.ts';
import { recordAction, type Operator } from '../access/operator-actions.ts';
import { ensureSubscription, removeSubscription } from './subscriptions.ts';
import { uncheckedColumn } from '../client/columns.ts';

/** An endpoint with its signing secrets: the current one, and the previous one while it is valid. */
export interface SigningEndpoint extends WebhookEndpoint {
  readonly secrets: readonly string[];
}

export type Created =
  | {
      readonly kind: 'created';
      readonly endpoint: WebhookEndpoint;
      readonly response: StoredResponse;
    }
  | { readonly kind: 'too_many' };

/** Each has a pump that always runs: this many fit a worker beside the other subscribers. */
export const MAX_ENDPOINTS = 100;
/** The time a receiver has to change over to the new secret. */
export const ROTATION_HOURS = 24;
/** Standard Webhooks asks for 24 to 64 bytes. */
const SECRET_BYTES = 32;
/** PostgreSQL's advisory lock under which endpoints are counted and added: any constant will do. */
const COUNT_LOCK = 7_041_961;

/** Adds an endpoint that receives new events, under an Idempotency-Key. Throws KeyTakenError. */
export async function createEndpoint(
  db: Database,
  claim: KeyClaim,
  wanted: {
    readonly url: string;
    readonly types: readonly EventType[];
    readonly by: Operator;
    /** The response that shows the secret, stored with the key. */
    readonly response: (endpoint: WebhookEndpoint, secret: string) => StoredResponse;
  },
): Promise<Created> {
  const { url, types } = wanted;
  const cursor = await cursorNow(db);
  return db.$transaction(async (tx): Promise<Created> => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(${COUNT_LOCK}::bigint)`;
    if ((await tx.webhookEndpoint.count()) >= MAX_ENDPOINTS) return { kind: 'too_many' };
    const secret = newSecret();
    const row = await tx.webhookEndpoint.create({
      data: { id: newId('webhookEndpoint'), url, types: [...types], secret },
    });
    const endpoint = toEndpoint(row);
    await ensureSubscription(tx, { name: webhookSubscription(row.id), types, cursor });
    const response = wanted.response(endpoint, secret);
    await insertCompletedKey(tx, claim, response);
    await recordAuditAction(tx, wanted.by, { id: row.id, action: 'created', data: { types } });
    return { kind: 'created', endpoint, response };
  });
}

/** The endpoint, or null. */
export async function findEndpoint(db: Database, id: string): Promise<WebhookEndpoint | null> {
  const row = await db.webhookEndpoint.findUnique({ where: { id } });
  return row && toEndpoint(row);
}

/** The endpoint with its secrets, or null. */
export async function findSigningEndpoint(
  db: Database,
  id: string,
): Promise<SigningEndpoint | null> {
  // Raw for the database's clock, which set the expiry.
  const [row] = await db.$queryRaw<(EndpointRow & { secrets: string[] })[]>`
    SELECT id, url, types, status, disabled_reason AS "disabledReason", created_at AS "createdAt",
      updated_at AS "updatedAt", array_remove(ARRAY[secret,
        CASE WHEN previous_secret_expires_at > now() THEN previous_secret END], NULL) AS secrets
    FROM webhook_endpoints WHERE id = ${id}`;
  return row ? { ...toEndpoint(row), secrets: row.secrets } : null;
}

/** Newest first, one page after `startingAfter`. */
export async function listEndpoints(
  db: Database,
  page: { readonly limit: number; readonly startingAfter?: string | undefined },
): Promise<{ readonly endpoints: readonly WebhookEndpoint[]; readonly hasMore: boolean }> {
  const rows = await db.webhookEndpoint.findMany({
    where: page.startingAfter === undefined ? {} : { id: { lt: page.startingAfter } },
    orderBy: { id: 'desc' },
    take: page.limit + 1,
  });
  return {
    endpoints: rows.slice(0, page.limit).map(toEndpoint),
    hasMore: rows.length > page.limit,
  };
}

/** Changes the given fields; enabling clears the disabled reason. Null when no such endpoint exists. */
export async function changeEndpoint(
  db: Database,
  id: string,
  change: {
    readonly url?: string | undefined;
    readonly types?: readonly EventType[] | undefined;
    readonly status?: WebhookEndpoint['status'] | undefined;
    readonly by: Operator;
  },
): Promise<WebhookEndpoint | null> {
  const { url, types, status } = change;
  const cursor = await cursorNow(db);
  return db.$transaction(async (tx) => {
    // Raw for the database's clock.
    const [row] = await tx.$queryRaw<EndpointRow[]>`
      UPDATE webhook_endpoints SET url = COALESCE(${url ?? null}, url),
        types = COALESCE(${types === undefined ? null : [...types]}::text[], types),
        disabled_reason = CASE WHEN ${status ?? null}::text IS NULL THEN disabled_reason
          ELSE ${status === undefined ? null : reasonOf(status)} END,
        status = COALESCE(${status ?? null}, status), updated_at = now()
      WHERE id = ${id}
      RETURNING id, url, types, status, disabled_reason AS "disabledReason",
        created_at AS "createdAt", updated_at AS "updatedAt"`;
    if (!row) return null;
    if (types) await ensureSubscription(tx, { name: webhookSubscription(id), types, cursor });
    const data = {
      url_changed: url !== undefined,
      ...(types && { types }),
      ...(status && { status }),
    };
    await recordAuditAction(tx, change.by, { id, action: 'changed', data });
    return toEndpoint(row);
  });
}

/** Disables an endpoint that responded 410 Gone. Raw for the database's clock. */
export async function disableEndpoint(db: Database, id: string, reason: string): Promise<void> {
  await db.$executeRaw`
    UPDATE webhook_endpoints SET status = 'disabled', disabled_reason = ${reason}, updated_at = now()
    WHERE id = ${id} AND status = 'enabled'`;
}

/** Deletes the endpoint, its subscription and its attempts. False when no such endpoint exists. */
export async function deleteEndpoint(db: Database, id: string, by: Operator): Promise<boolean> {
  return db.$transaction(async (tx) => {
    await removeSubscription(tx, webhookSubscription(id));
    const { count } = await tx.webhookEndpoint.deleteMany({ where: { id } });
    if (count === 1) await recordAuditAction(tx, by, { id, action: 'deleted' });
    return count === 1;
  });
}

/**
 * Gives the endpoint a new secret. The previous one signs beside it for `ROTATION_HOURS`. Under an
 * Idempotency-Key, because a repeat would retire the secret just returned. Throws KeyTakenError. Null
 * when no such endpoint exists.
 */
export async function rotateSecret(
  db: Database,
  claim: KeyClaim,
  wanted: {
    readonly id: string;
    readonly by: Operator;
    readonly response: (secret: string, previousExpiresAt: string) => StoredResponse;
  },
): Promise<StoredResponse | null> {
  return db.$transaction(async (tx) => {
    const secret = newSecret();
    const [row] = await tx.$queryRaw<{ expiresAt: Date }[]>`
      UPDATE webhook_endpoints SET previous_secret = secret, secret = ${secret},
        previous_secret_expires_at = now() + ${ROTATION_HOURS} * interval '1 hour',
        updated_at = now()
      WHERE id = ${wanted.id} RETURNING previous_secret_expires_at AS "expiresAt"`;
    if (!row) return null;
    const response = wanted.response(secret, row.expiresAt.toISOString());
    await insertCompletedKey(tx, claim, response);
    await recordAuditAction(tx, wanted.by, { id: wanted.id, action: 'secret_rotated' });
    return response;
  });
}

/** Never the URL: it may contain a secret of its owner. */
async function recordAuditAction(
  tx: Transaction,
  by: Operator,
  {
    id,
    action,
    data = {},
  }: { id: string; action: string; data?: Readonly<Record<string, unknown>> },
): Promise<void> {
  await recordAction(tx, by, { action: `webhook_endpoint.${action}`, subject: id, data });
}

function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}

function reasonOf(status: WebhookEndpoint['status']): string | null {
  return status === 'disabled' ? 'disabled by an operator' : null;
}

type EndpointRow = Omit<
  Prisma.WebhookEndpointGetPayload<object>,
  'secret' | 'previousSecret' | 'previousSecretExpiresAt'
>;

function toEndpoint(row: EndpointRow): WebhookEndpoint {
  return {
    id: row.id,
    url: row.url,
    types: row.types.map((type) => uncheckedColumn<EventType>(type)),
    status: row.status,
    disabledReason: row.disabledReason,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
