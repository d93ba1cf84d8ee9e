/** Sending webhooks because a person asks for it: events again, or a test. */
import { randomUUID } from 'node:crypto';
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
import { findSigningEndpoint } from '../../prisma/events/webhook-endpoints.ts';
import { ProblemError } from '../http/problems.ts';
import { endpointNotFound, type WebhookDeps } from './webhook-endpoints.ts';

export interface Redelivered {
  readonly requested: number;
  /** Where the events begin that were too many for one call; null when there are none. */
  readonly nextFrom: string | null;
}

/** Each is a workflow to start: as many as fit a request's time. */
const MAX_REDELIVERED = 200;
const STARTS_AT_ONCE = 8;
const TEMPORAL_RETRY_SECONDS = 5;

/** Sends one event again, whatever its type. Throws ProblemError. */
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

/** Sends the events of the endpoint's types in a span of time again. Throws ProblemError. */
export async function redeliverSpan(
  deps: WebhookDeps,
  endpoint: WebhookEndpoint,
  span: { readonly from: string; readonly to: string },
): Promise<Redelivered> {
  requireEnabled(endpoint);
  const wanted = { ...span, types: endpoint.types, limit: MAX_REDELIVERED + 1 };
  const found = await listEventsBetween(deps.db, wanted);
  const events = found.slice(0, MAX_REDELIVERED);
  await startAll(deps, endpoint, events);
  return { requested: events.length, nextFrom: found[MAX_REDELIVERED]?.time ?? null };
}

/** Sends a signed test event now, to a disabled endpoint too, and says what came of it. */
export async function sendTest(
  { db, webhooks }: WebhookDeps,
  endpointId: string,
): Promise<Omit<WebhookAttempt, 'id' | 'attemptedAt'>> {
  const endpoint = await findSigningEndpoint(db, endpointId);
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
  const waiting = [...events];
  const lane = async (): Promise<void> => {
    for (let event = waiting.shift(); event; event = waiting.shift()) {
      const { id: eventId, orderId } = event;
      const { kind } = await deliveries.startDelivery(
        requestedDelivery({ subscription, eventId, orderId }),
      );
      if (kind === 'unavailable') throw deliveryUnavailable();
    }
  };
  await Promise.all(Array.from({ length: STARTS_AT_ONCE }, lane));
}

function deliveryUnavailable(): ProblemError {
  return new ProblemError({
    code: 'delivery_unavailable',
    detail: 'Some may be on their way; asking again sends them at most once more.',
    retryAfterSeconds: TEMPORAL_RETRY_SECONDS,
  });
}
