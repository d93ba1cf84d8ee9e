/**
 * Webhook endpoints. Each is created and deleted with its subscription, in one transaction. Secrets are
 * stored encrypted; only the sender and, in the response that created one, the owner receive them.
 */
import { randomBytes } from 'node:crypto';
import type { EventType } from '../../domain/order.ts';
import { webhookSubscription, type WebhookEndpoint } from '../../domain/webhook.ts';
import type { Database, Transaction } from '../client/client.ts';
import { discardDeliveries } from './dead-letters.ts';
import { cursorNow } from './event-log.ts';
import type { Prisma } from '../generated/client.ts';
import { insertCompletedKey, type KeyClaim, type StoredResponse } from '../access/idempotency.ts';
import { newId } from '../client/ids.ts';
import type { SecretCipher } from '../client/secret-cipher.ts';
import { recordAction, type Operator } from '../access/operator-actions.ts';
import { ensureSubscription, removeSubscription } from './subscriptions.ts';
import { uncheckedColumn } from '../client/columns.ts';
import { recordWantedTypes } from './webhook-wanted-types.ts';

export type Created =
  | {
      readonly kind: 'created';
      readonly endpoint: WebhookEndpoint;
      readonly response: StoredResponse;
    }
  | { readonly kind: 'too_many' };

/** Each has a pump that always runs: this many fit a worker beside the other subscribers. */
export const MAX_ENDPOINTS = 100;
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
    readonly cipher: SecretCipher;
    /** The response, stored with the key. It never has the secret. */
    readonly response: (endpoint: WebhookEndpoint) => StoredResponse;
  },
): Promise<Created> {
  const { url, types } = wanted;
  const cursor = await cursorNow(db);
  return db.$transaction(async (tx): Promise<Created> => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(${COUNT_LOCK}::bigint)`;
    if ((await tx.webhookEndpoint.count()) >= MAX_ENDPOINTS) return { kind: 'too_many' };
    const id = newId('webhookEndpoint');
    const secret = wanted.cipher.encrypt(newSecret(), id);
    const row = await tx.webhookEndpoint.create({ data: { id, url, types: [...types], secret } });
    const endpoint = toEndpoint(row);
    await recordWantedTypes(tx, row.id);
    await ensureSubscription(tx, { name: webhookSubscription(row.id), types, cursor });
    const response = wanted.response(endpoint);
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
    await recordWantedTypes(tx, id);
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
  await db.$transaction(async (tx) => {
    const disabled = await tx.$executeRaw`
      UPDATE webhook_endpoints SET status = 'disabled', disabled_reason = ${reason},
        updated_at = now()
      WHERE id = ${id} AND status = 'enabled'`;
    if (disabled === 1) await recordWantedTypes(tx, id);
  });
}

/**
 * Deletes the endpoint with its subscription, its attempts and its live dead letters: they have no
 * receiver any more. False when no such endpoint exists.
 */
export async function deleteEndpoint(db: Database, id: string, by: Operator): Promise<boolean> {
  return db.$transaction(async (tx) => {
    // Before the subscription, as a change locks them. A dead letter is recorded while its endpoint is
    // locked, so none is recorded after this.
    const { count } = await tx.webhookEndpoint.deleteMany({ where: { id } });
    if (count === 0) return false;
    await removeSubscription(tx, webhookSubscription(id));
    await discardDeliveries(tx, webhookSubscription(id), {
      actor: by.apiKeyId,
      note: 'The endpoint was deleted.',
    });
    await recordAuditAction(tx, by, { id, action: 'deleted' });
    return true;
  });
}

/** Never the URL: it may contain a secret of its owner. */
export async function recordAuditAction(
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

/** A signing secret as Standard Webhooks writes it. */
export function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}

function reasonOf(status: WebhookEndpoint['status']): string | null {
  return status === 'disabled' ? 'disabled by an operator' : null;
}

export type EndpointRow = Omit<
  Prisma.WebhookEndpointGetPayload<object>,
  'secret' | 'previousSecret' | 'previousSecretExpiresAt'
>;

export function toEndpoint(row: EndpointRow): WebhookEndpoint {
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
