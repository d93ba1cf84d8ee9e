/** Creates and changes webhook endpoints: the API's rules on top of prisma/events/webhook-endpoints.ts. */
import { z } from 'zod';
import type { EventType } from '../../domain/order.ts';
import { webhookSubscription, type WebhookEndpoint } from '../../domain/webhook.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { KeyClaim, StoredResponse } from '../../prisma/access/idempotency.ts';
import type { SecretCipher } from '../../prisma/client/secret-cipher.ts';
import type { Operator } from '../../prisma/access/operator-actions.ts';
import {
  changeEndpoint,
  createEndpoint,
  findEndpoint,
  MAX_ENDPOINTS,
} from '../../prisma/events/webhook-endpoints.ts';
import { findCurrentSecret, rotateSecret } from '../../prisma/events/webhook-secrets.ts';
import { ProblemError, type Problem } from '../http/problems.ts';
import type { EndpointBody } from '../schemas/webhooks.ts';
import type { WebhookSender } from '../../gateways/webhooks/sender.ts';
import type { DeliveryClient } from '../../temporal/delivery-client.ts';
import { refused, withIdempotencyKey, type IdempotentOutcome } from '../http/idempotent.ts';

export interface WebhookDeps {
  readonly db: Database;
  readonly cipher: SecretCipher;
  readonly deliveries: DeliveryClient;
  readonly webhooks: WebhookSender;
}

/** Its workflow starts after the commit, or once Temporal is available. Throws ProblemError. */
export async function addEndpoint(
  deps: WebhookDeps,
  claim: KeyClaim,
  draft: { readonly url: string; readonly types: readonly EventType[]; readonly by: Operator },
): Promise<IdempotentOutcome> {
  const { db, cipher, deliveries } = deps;
  const outcome = await withIdempotencyKey(db, claim, async () => {
    await requireAllowedUrl(deps, draft.url);
    const wanted = { ...draft, cipher, response: createdResponse };
    const created = await createEndpoint(db, claim, wanted);
    if (created.kind === 'too_many') return refused(tooMany());
    await deliveries.ensureSubscriptionRuns(webhookSubscription(created.endpoint.id));
    return created.response;
  });
  return withSecret(deps, outcome);
}

/** Changes the fields in `change`. Throws ProblemError. */
export async function editEndpoint(
  deps: WebhookDeps,
  id: string,
  change: Parameters<typeof changeEndpoint>[2],
): Promise<WebhookEndpoint> {
  if (change.url !== undefined) await requireAllowedUrl(deps, change.url);
  const changed = await changeEndpoint(deps.db, id, change);
  if (!changed) throw endpointNotFound();
  return changed;
}

/** Creates a new secret. Webhooks are signed with both secrets for a day. */
export async function renewSecret(
  deps: WebhookDeps,
  claim: KeyClaim,
  { id, by }: { readonly id: string; readonly by: Operator },
): Promise<IdempotentOutcome> {
  const { db, cipher } = deps;
  const response = (previousExpiresAt: string): StoredResponse => ({
    status: 200,
    body: JSON.stringify({
      id,
      object: 'webhook_secret',
      previous_secret_expires_at: previousExpiresAt,
    }),
  });
  const wanted = { id, by, cipher, response };
  const outcome = await withIdempotencyKey(
    db,
    claim,
    async () => (await rotateSecret(db, claim, wanted)) ?? refused(notFound()),
  );
  return withSecret(deps, outcome);
}

const announced = z.looseObject({ id: z.string() });

/**
 * Adds the secret to a stored response, which has none: to the first response, and to a replay as long
 * as the secret is the endpoint's current one.
 */
async function withSecret(
  { db, cipher }: WebhookDeps,
  outcome: IdempotentOutcome,
): Promise<IdempotentOutcome> {
  if (outcome.kind === 'refused') return outcome;
  const { status, body } = outcome.response;
  const shown = announced.parse(JSON.parse(body));
  const expiry = shown['previous_secret_expires_at'];
  const previousExpiresAt = typeof expiry === 'string' ? expiry : null;
  const secret = await findCurrentSecret(db, cipher, { id: shown.id, previousExpiresAt });
  if (secret === null) return outcome;
  return { ...outcome, response: { status, body: JSON.stringify({ ...shown, secret }) } };
}

/** Throws ProblemError `endpoint_not_found`. */
export async function loadEndpoint(db: Database, id: string): Promise<WebhookEndpoint> {
  const endpoint = await findEndpoint(db, id);
  if (!endpoint) throw endpointNotFound();
  return endpoint;
}

export function endpointNotFound(): ProblemError {
  return new ProblemError(notFound());
}

function notFound(): Problem {
  return { code: 'endpoint_not_found', detail: 'No webhook endpoint has this id.' };
}

function tooMany(): Problem {
  return {
    code: 'too_many_endpoints',
    detail: `The limit is ${MAX_ENDPOINTS} endpoints. Delete one first.`,
  };
}

export function endpointBody(endpoint: WebhookEndpoint): EndpointBody {
  return {
    id: endpoint.id,
    object: 'webhook_endpoint',
    url: endpoint.url,
    types: [...endpoint.types],
    status: endpoint.status,
    disabled_reason: endpoint.disabledReason,
    created_at: endpoint.createdAt,
    updated_at: endpoint.updatedAt,
  };
}

function createdResponse(endpoint: WebhookEndpoint): StoredResponse {
  return { status: 201, body: JSON.stringify(endpointBody(endpoint)) };
}

/** Refuses a bad URL early. The sender checks it again before every webhook. */
async function requireAllowedUrl({ webhooks }: WebhookDeps, url: string): Promise<void> {
  const verdict = await webhooks.check(url);
  if (verdict.kind === 'open') return;
  throw new ProblemError({
    code: 'invalid_request',
    detail: 'The URL is not allowed; `errors` says why.',
    errors: [
      { pointer: '#/url', detail: REASONS[verdict.reason] ?? 'The host name cannot be resolved' },
    ],
  });
}

const REASONS: Readonly<Record<string, string>> = {
  not_a_url: 'Not a URL',
  url_too_long: 'The URL exceeds 2048 characters',
  not_https: 'The scheme must be https',
  credentials_in_url: 'The URL must not contain credentials',
  port_not_allowed: 'The port must be 443 or 8443',
  address_not_public: 'The host is not on the public internet',
};
