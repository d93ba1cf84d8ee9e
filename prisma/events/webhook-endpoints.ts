/**
 * Webhook endpoints. Each comes and goes with its subscription, in one transaction. Secrets are kept
 * as they are, for they sign; they leave this file only towards the sender and, once, their owner.
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
import { trusted } from '../client/cast.ts';

/** An endpoint with the secrets to sign with: the new one, and the one before while it is valid. */
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

/** Each has a pump that runs all the time: this many fit a worker beside the other subscribers. */
export const MAX_ENDPOINTS = 100;
/** A receiver has a day to change over to the new secret. */
export const ROTATION_HOURS = 24;
/** Standard Webhooks asks for 24 to 64 bytes. */
const SECRET_BYTES = 32;
/** PostgreSQL's advisory lock under which endpoints are counted and added: any constant will do. */
const COUNT_LOCK = 7_041_961;

/** Adds an endpoint that gets what happens from now on, under an Idempotency-Key. Throws KeyTakenError. */
export async function createEndpoint(
  db: Database,
  claim: KeyClaim,
  wanted: {
    readonly url: string;
    readonly types: readonly EventType[];
    readonly by: Operator;
    /** The answer that shows the secret, kept with the key. */
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
  const row = await db.webhookEndpoint.findUnique({ where: { id } });
  if (!row) return null;
  const { previousSecret: previous, previousSecretExpiresAt: expiresAt } = row;
  const stillValid = previous !== null && expiresAt !== null && expiresAt.getTime() > Date.now();
  return { ...toEndpoint(row), secrets: stillValid ? [row.secret, previous] : [row.secret] };
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

/** Changes what is given; enabling forgets why it was disabled. Null when there is no such endpoint. */
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
    const [row] = await tx.webhookEndpoint.updateManyAndReturn({
      where: { id },
      data: {
        ...(url !== undefined && { url }),
        ...(types !== undefined && { types: [...types] }),
        ...(status !== undefined && { status, disabledReason: reasonOf(status) }),
        updatedAt: new Date(),
      },
    });
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

/** Sends nothing more to an endpoint that said it is gone. */
export async function disableEndpoint(db: Database, id: string, reason: string): Promise<void> {
  await db.webhookEndpoint.updateMany({
    where: { id, status: 'enabled' },
    data: { status: 'disabled', disabledReason: reason, updatedAt: new Date() },
  });
}

/** Forgets the endpoint, its subscription and its attempts. False when there was none. */
export async function deleteEndpoint(db: Database, id: string, by: Operator): Promise<boolean> {
  return db.$transaction(async (tx) => {
    await removeSubscription(tx, webhookSubscription(id));
    const { count } = await tx.webhookEndpoint.deleteMany({ where: { id } });
    if (count === 1) await recordAuditAction(tx, by, { id, action: 'deleted' });
    return count === 1;
  });
}

/**
 * Gives the endpoint a new secret. The old one signs beside it for `ROTATION_HOURS`; an even older
 * one no more. Under an Idempotency-Key, for a repeat would retire the secret just handed out. Throws
 * KeyTakenError. Null when there is no such endpoint.
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

/** Never an address: what stands in one may be a secret of its owner. */
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

function toEndpoint(row: Prisma.WebhookEndpointGetPayload<object>): WebhookEndpoint {
  return {
    id: row.id,
    url: row.url,
    types: trusted<readonly EventType[]>(row.types),
    status: row.status,
    disabledReason: row.disabledReason,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
