/** Sends webhooks for an operator: redelivers events, or sends a test event. */
import { randomUUID } from 'node:crypto';
import pMap from 'p-map';
import { requestedDelivery } from '../../domain/delivery.ts';
import {
  attemptOf,
  WEBHOOK_TEST_TYPE,
  webhookSubscription,
  type WebhookAttempt,
  type WebhookEndpoint,
} from '../../domain/webhook.ts';
import { findEvent } from '../../prisma/events/event-log.ts';
import {
  listEventsBetween,
  recordAttempts,
  type EventRef,
} from '../../prisma/events/webhook-attempts.ts';
import { findSigningEndpoint } from '../../prisma/events/webhook-secrets.ts';
import { ProblemError } from '../http/problems.ts';
import { endpointNotFound, type WebhookDeps } from './webhook-endpoints.ts';

export interface Redelivered {
  readonly requested: number;
  /** The start of the events that exceed the limit of one call; null when there are none. */
  readonly nextFrom: string | null;
}

/** Each event starts a workflow. This many fit into the time of a request. */
const MAX_REDELIVERED = 200;
const CONCURRENT_STARTS = 8;
const TEMPORAL_RETRY_SECONDS = 5;

/** Redelivers one event of any type. Throws ProblemError. */
export async function redeliverEvent(
  deps: WebhookDeps,
  endpoint: WebhookEndpoint,
  eventId: string,
): Promise<Redelivered> {
  requireEnabled(endpoint);
  const event = await findEvent(deps.db, eventId);
  if (!event) {
    throw new ProblemError({ code: 'event_not_found', detail: 'No event has this id.' });
  }
  await startAll(deps, endpoint, [event]);
  return { requested: 1, nextFrom: null };
}

/** Redelivers the events of the endpoint's types in a time range. Throws ProblemError. */
export async function redeliverRange(
  deps: WebhookDeps,
  endpoint: WebhookEndpoint,
  range: { readonly from: string; readonly to: string },
): Promise<Redelivered> {
  requireEnabled(endpoint);
  const query = { ...range, types: endpoint.types, limit: MAX_REDELIVERED + 1 };
  const found = await listEventsBetween(deps.db, query);
  const events = found.slice(0, MAX_REDELIVERED);
  await startAll(deps, endpoint, events);
  return { requested: events.length, nextFrom: found[MAX_REDELIVERED]?.time ?? null };
}

/** Sends a signed test event, even to a disabled endpoint, and returns the result. */
export async function sendTest(
  { db, cipher, webhooks }: WebhookDeps,
  endpointId: string,
): Promise<Omit<WebhookAttempt, 'id' | 'attemptedAt'>> {
  const endpoint = await findSigningEndpoint(db, cipher, endpointId);
  if (!endpoint) throw endpointNotFound();
  const eventId = randomUUID();
  const outcome = await webhooks.send({
    url: endpoint.url,
    id: eventId,
    secrets: endpoint.secrets,
    body: JSON.stringify({
      type: WEBHOOK_TEST_TYPE,
      timestamp: new Date().toISOString(),
      data: { event_id: eventId, endpoint_id: endpointId },
    }),
  });
  const attempt = { eventId, eventType: WEBHOOK_TEST_TYPE, ...attemptOf(outcome) };
  await recordAttempts(db, endpointId, [attempt]);
  return { endpointId, ...attempt };
}

function requireEnabled({ status }: WebhookEndpoint): void {
  if (status === 'enabled') return;
  throw new ProblemError({
    code: 'endpoint_disabled',
    detail: 'Enable the endpoint first: PATCH it with {"status": "enabled"}.',
  });
}

async function startAll(
  { deliveries }: WebhookDeps,
  { id }: WebhookEndpoint,
  events: readonly EventRef[],
): Promise<void> {
  const subscription = webhookSubscription(id);
  const start = async ({ id: eventId, orderId }: EventRef): Promise<void> => {
    const { kind } = await deliveries.startDelivery(
      requestedDelivery({ subscription, eventId, orderId }),
    );
    if (kind !== 'started') throw deliveryUnavailable();
  };
  await pMap(events, start, { concurrency: CONCURRENT_STARTS });
}

function deliveryUnavailable(): ProblemError {
  return new ProblemError({
    code: 'delivery_unavailable',
    detail:
      'Some events may have been sent. Retry to send all of them; repeats keep their event ids.',
    retryAfterSeconds: TEMPORAL_RETRY_SECONDS,
  });
}
