/** Adding, changing and re-keying webhook endpoints: rules of the API over prisma/events/webhook-endpoints.ts. */
import type { EventType } from '../../domain/order.ts';
import { webhookSubscription, type WebhookEndpoint } from '../../domain/webhook.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { KeyClaim, StoredResponse } from '../../prisma/access/idempotency.ts';
import type { Operator } from '../../prisma/access/operator-actions.ts';
import {
  changeEndpoint,
  createEndpoint,
  findEndpoint,
  MAX_ENDPOINTS,
  rotateSecret,
} from '../../prisma/events/webhook-endpoints.ts';
import { ProblemError, type Problem } from '../http/problems.ts';
import type { EndpointBody } from '../schemas/webhooks.ts';
import type { WebhookSender } from '../../gateways/webhooks/sender.ts';
import type { DeliveryClient } from '../../temporal/delivery-client.ts';
import { refused, withIdempotencyKey, type IdempotentOutcome } from '../http/idempotent.ts';

export interface WebhookDeps {
  readonly db: Database;
  readonly deliveries: DeliveryClient;
  readonly webhooks: WebhookSender;
}

/** Adds an endpoint; its pump starts after the commit, or when Temporal is back. Throws ProblemError. */
export function addEndpoint(
  deps: WebhookDeps,
  claim: KeyClaim,
  wanted: { readonly url: string; readonly types: readonly EventType[]; readonly by: Operator },
): Promise<IdempotentOutcome> {
  const { db, deliveries } = deps;
  return withIdempotencyKey(db, claim, async () => {
    await requireOpenUrl(deps, wanted.url);
    const created = await createEndpoint(db, claim, { ...wanted, answer: createdResponse });
    if (created.kind === 'too_many') return refused(tooMany());
    await deliveries.ensureSubscriptionRuns(webhookSubscription(created.endpoint.id));
    return created.answer;
  });
}

/** Changes what is given. Throws ProblemError. */
export async function editEndpoint(
  deps: WebhookDeps,
  id: string,
  change: Parameters<typeof changeEndpoint>[2],
): Promise<WebhookEndpoint> {
  if (change.url !== undefined) await requireOpenUrl(deps, change.url);
  const changed = await changeEndpoint(deps.db, id, change);
  if (!changed) throw endpointNotFound();
  return changed;
}

/** Hands out a new secret; the old one signs beside it for a day. */
export function renewSecret(
  db: Database,
  claim: KeyClaim,
  { id, by }: { readonly id: string; readonly by: Operator },
): Promise<IdempotentOutcome> {
  const answer = (secret: string, previousExpiresAt: string): StoredResponse => ({
    status: 200,
    body: JSON.stringify({
      id,
      object: 'webhook_secret',
      secret,
      previous_secret_expires_at: previousExpiresAt,
    }),
  });
  return withIdempotencyKey(
    db,
    claim,
    async () => (await rotateSecret(db, claim, { id, by, answer })) ?? refused(notFound()),
  );
}

/** The endpoint. Throws ProblemError `endpoint_not_found`. */
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
    detail: `There are ${MAX_ENDPOINTS} already: delete one first.`,
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

function createdResponse(endpoint: WebhookEndpoint, secret: string): StoredResponse {
  return { status: 201, body: JSON.stringify({ ...endpointBody(endpoint), secret }) };
}

/** Better refused now than failing for three days: the sender checks again for every webhook. */
async function requireOpenUrl({ webhooks }: WebhookDeps, url: string): Promise<void> {
  const verdict = await webhooks.check(url);
  if (verdict.kind === 'open') return;
  throw new ProblemError({
    code: 'invalid_request',
    detail: 'No webhook can be sent to this URL.',
    errors: [{ pointer: '#/url', detail: REASONS[verdict.reason] ?? 'Its name was not found' }],
  });
}

const REASONS: Readonly<Record<string, string>> = {
  not_a_url: 'Not a URL',
  url_too_long: 'Longer than 2048 characters',
  not_https: 'Only https is sent to',
  credentials_in_url: 'User name and password do not belong in a URL',
  port_not_allowed: 'Only ports 443 and 8443 are sent to',
  address_not_public: 'Its address is not on the public Internet',
};
