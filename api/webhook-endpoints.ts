/** Adding, changing and re-keying webhook endpoints: rules of the API over prisma/webhook-endpoints.ts. */
import type { EventType } from '../domain/order.ts';
import { webhookSubscription, type WebhookEndpoint } from '../domain/webhook.ts';
import type { Database } from '../prisma/client.ts';
import { inspectKey, type KeyClaim, type StoredAnswer } from '../prisma/idempotency.ts';
import type { Operator } from '../prisma/operator-actions.ts';
import {
  changeEndpoint,
  createEndpoint,
  findEndpoint,
  MAX_ENDPOINTS,
  rotateSecret,
} from '../prisma/webhook-endpoints.ts';
import { inFlight, keyReused } from './order-answers.ts';
import { ProblemError } from './problems.ts';
import type { EndpointBody } from './schemas/webhooks.ts';
import type { Services } from './services.ts';

export interface Answered {
  readonly answer: StoredAnswer;
  readonly replayed: boolean;
}

/** Adds an endpoint; its pump starts after the commit, or when Temporal is back. Throws ProblemError. */
export async function addEndpoint(
  services: Services,
  claim: KeyClaim,
  wanted: { readonly url: string; readonly types: readonly EventType[]; readonly by: Operator },
): Promise<Answered> {
  const { db, deliveries } = services;
  const before = await answeredBefore(db, claim);
  if (before) return before;
  await requireOpenUrl(services, wanted.url);
  const created = await createEndpoint(db, claim, { ...wanted, answer: createdAnswer });
  switch (created.kind) {
    case 'too_many':
      throw new ProblemError({
        code: 'too_many_endpoints',
        detail: `There are ${MAX_ENDPOINTS} already: delete one first.`,
      });
    case 'key_taken':
      return answeredMeanwhile(db, claim);
    case 'created':
      await deliveries.ensureSubscriptionRuns(webhookSubscription(created.endpoint.id));
      return { answer: created.answer, replayed: false };
  }
}

/** Changes what is given. Throws ProblemError. */
export async function editEndpoint(
  services: Services,
  id: string,
  change: Parameters<typeof changeEndpoint>[2],
): Promise<WebhookEndpoint> {
  if (change.url !== undefined) await requireOpenUrl(services, change.url);
  const changed = await changeEndpoint(services.db, id, change);
  if (!changed) throw endpointNotFound();
  return changed;
}

/** Hands out a new secret; the old one signs beside it for a day. Throws ProblemError. */
export async function renewSecret(
  db: Database,
  claim: KeyClaim,
  { id, by }: { readonly id: string; readonly by: Operator },
): Promise<Answered> {
  const before = await answeredBefore(db, claim);
  if (before) return before;
  const answer = (secret: string, previousExpiresAt: string): StoredAnswer => ({
    status: 200,
    body: JSON.stringify({
      id,
      object: 'webhook_secret',
      secret,
      previous_secret_expires_at: previousExpiresAt,
    }),
  });
  const rotated = await rotateSecret(db, claim, { id, by, answer });
  switch (rotated.kind) {
    case 'not_found':
      throw endpointNotFound();
    case 'key_taken':
      return answeredMeanwhile(db, claim);
    case 'rotated':
      return { answer: rotated.answer, replayed: false };
  }
}

/** The endpoint. Throws ProblemError `endpoint_not_found`. */
export async function endpointNamed(db: Database, id: string): Promise<WebhookEndpoint> {
  const endpoint = await findEndpoint(db, id);
  if (!endpoint) throw endpointNotFound();
  return endpoint;
}

export function endpointNotFound(): ProblemError {
  const detail = 'No webhook endpoint has this id.';
  return new ProblemError({ code: 'endpoint_not_found', detail });
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

function createdAnswer(endpoint: WebhookEndpoint, secret: string): StoredAnswer {
  return { status: 201, body: JSON.stringify({ ...endpointBody(endpoint), secret }) };
}

/** Better refused now than failing for three days: the sender checks again for every webhook. */
async function requireOpenUrl({ webhooks }: Services, url: string): Promise<void> {
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

/** What the key has been answered with, or null when it is free. Throws ProblemError for another request. */
async function answeredBefore(db: Database, claim: KeyClaim): Promise<Answered | null> {
  const key = await inspectKey(db, claim);
  switch (key.kind) {
    case 'free':
      return null;
    case 'answered':
      return { answer: key.answer, replayed: true };
    case 'other_request':
      throw new ProblemError(keyReused());
    case 'in_flight':
    case 'abandoned':
      throw new ProblemError(inFlight());
  }
}

/** Somebody else was first with the key, and has committed. */
async function answeredMeanwhile(db: Database, claim: KeyClaim): Promise<Answered> {
  const answered = await answeredBefore(db, claim);
  if (!answered) throw new ProblemError(inFlight());
  return answered;
}
