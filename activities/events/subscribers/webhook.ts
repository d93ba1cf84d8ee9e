/**
 * Sends events to one webhook endpoint by Standard Webhooks 1.0. Events of one order go in log order
 * as long as nothing fails, different orders at the same time. Every attempt is recorded.
 */
import pMap from 'p-map';
import { WEBHOOK_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import type { OrderEvent } from '../../../domain/order.ts';
import { attemptOf, webhookSubscription, type WebhookOutcome } from '../../../domain/webhook.ts';
import type { WebhookSender } from '../../../gateways/webhooks/sender.ts';
import type { Database } from '../../../prisma/client/client.ts';
import type { SecretCipher } from '../../../prisma/client/secret-cipher.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { findTypesToRead, findWantedEvents } from '../../../prisma/events/webhook-wanted-types.ts';
import { disableEndpoint } from '../../../prisma/events/webhook-endpoints.ts';
import {
  findSigningEndpoint,
  type SigningEndpoint,
} from '../../../prisma/events/webhook-secrets.ts';
import { currentTraceHeaders, inSpan } from '../../../telemetry/tracing.ts';
import { createAttemptLog, type AttemptLog } from './attempt-log.ts';
import { DeliveryError, throwFailed, type Subscriber } from './subscriber.ts';

export interface WebhookSubscriberDependencies {
  readonly db: Database;
  readonly cipher: SecretCipher;
  readonly sender: WebhookSender;
}

const MAX_BATCH = 64;
const ORDER_CONCURRENCY = 24;
/** No send starts later in a batch: a send takes up to 15 s and must end before the deadline. */
const SEND_WITHIN_MS = 35_000;
/** Below the start-to-close timeout of a delivery in workflows/events/delivery.ts. */
const DEADLINE_MS = 55_000;
/** Standard Webhooks: a body stays below 20 kB. */
const MAX_BODY_BYTES = 20_000;
const GONE = 'the receiver responded 410 Gone';
/** https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/ */
const STATUS = 'http.response.status_code';
/** Free text of an operator, not for receivers. */
const INTERNAL_MEMBERS: readonly string[] = ['note'];

/** The subscriber of an endpoint, or null when there is no such endpoint. */
export async function createWebhookSubscriber(
  deps: WebhookSubscriberDependencies,
  endpointId: string,
): Promise<Subscriber | null> {
  const types = await findTypesToRead(deps.db, endpointId);
  if (!types) return null;
  return {
    name: webhookSubscription(endpointId),
    types,
    startsAt: 'now',
    maxBatch: MAX_BATCH,
    delayMs: 0,
    deadlineMs: DEADLINE_MS,
    retryDelaysMs: WEBHOOK_RETRY_DELAYS_MS,
    async selectWanted(events) {
      const ids = events.map(({ id }) => id);
      const wanted = await findWantedEvents(deps.db, endpointId, ids);
      return events.filter(({ id }) => wanted.has(id));
    },
    handle: (events, signal) => handle(deps, endpointId, { events, signal }),
  };
}

/** The body of a webhook: the event and its order. A receiver reads further data from the API. */
export function webhookBody(event: OrderEvent): string {
  const ids = {
    event_id: event.id,
    order_id: event.orderId,
    seq: event.seq,
    correlation_id: event.correlationId,
  };
  const shown = Object.entries(event.data).filter(([name]) => !INTERNAL_MEMBERS.includes(name));
  const body = (data: object): string =>
    JSON.stringify({ type: event.type, timestamp: event.time, data });
  const full = body({ ...Object.fromEntries(shown), ...ids });
  return Buffer.byteLength(full) < MAX_BODY_BYTES ? full : body(ids);
}

interface Batch {
  readonly events: readonly LoggedEvent[];
  readonly signal: AbortSignal;
}

/** The state shared by the sends of one batch. */
interface Sending extends Batch {
  readonly endpoint: SigningEndpoint;
  readonly attempts: AttemptLog;
  readonly endsAtMs: number;
  readonly failed: { readonly event: LoggedEvent; readonly error: unknown }[];
  /** The receiver responded 410: nothing more is sent. */
  gone: boolean;
  /** The receiver asked for no request before this time. */
  notBeforeMs: number;
}

async function handle(
  deps: WebhookSubscriberDependencies,
  endpointId: string,
  { events, signal }: Batch,
): Promise<void> {
  const endpoint = await findSigningEndpoint(deps.db, deps.cipher, endpointId);
  if (!endpoint) return;
  if (endpoint.status === 'disabled') {
    const error = endpointDisabled(endpoint.disabledReason ?? 'unknown');
    return throwFailed(
      events,
      events.map((event) => ({ event, error })),
    );
  }
  const endsAtMs = Date.now() + SEND_WITHIN_MS;
  const failed: Sending['failed'] = [];
  const attempts = createAttemptLog(deps.db, endpointId);
  const sending = {
    endpoint,
    attempts,
    events,
    signal,
    endsAtMs,
    failed,
    gone: false,
    notBeforeMs: 0,
  };
  const sendInOrder = async (eventsOfOrder: readonly LoggedEvent[]): Promise<void> => {
    for (const event of eventsOfOrder) await sendOne(deps, sending, event);
  };
  await pMap(byOrder(events), sendInOrder, { concurrency: ORDER_CONCURRENCY });
  // Each event is retried on its own, as after any other failure.
  await attempts.written().catch((error: unknown) => {
    failed.splice(0, failed.length, ...events.map((event) => ({ event, error })));
  });
  throwFailed(events, failed);
}

/** The endpoint takes nothing more: an event that it wanted becomes a dead letter. */
function endpointDisabled(reason: string): DeliveryError {
  return new DeliveryError(`endpoint disabled: ${reason}`, { final: true, attempted: false });
}

function byOrder(events: readonly LoggedEvent[]): LoggedEvent[][] {
  const orders = new Map<string, LoggedEvent[]>();
  for (const event of events) {
    const before = orders.get(event.orderId);
    if (before) before.push(event);
    else orders.set(event.orderId, [event]);
  }
  return [...orders.values()];
}

async function sendOne(
  deps: WebhookSubscriberDependencies,
  sending: Sending,
  event: LoggedEvent,
): Promise<void> {
  try {
    const reason = reasonNotToSend(sending);
    if (reason) throw notSent(sending, event, reason);
    await attempt(deps, sending, event);
  } catch (error) {
    sending.failed.push({ event, error });
    if (!(error instanceof DeliveryError)) return;
    if (error.final) sending.gone = true;
    sending.notBeforeMs = Math.max(sending.notBeforeMs, Date.now() + (error.retryAfterMs ?? 0));
  }
}

/** Why nothing more may be sent in this batch; null when it may. */
function reasonNotToSend(sending: Sending): DeliveryError | null {
  const { gone, notBeforeMs, endsAtMs, signal } = sending;
  if (gone) return endpointDisabled(GONE);
  const attempted = false;
  const retryAfterMs = notBeforeMs - Date.now();
  if (retryAfterMs > 0) {
    return new DeliveryError('receiver asked to wait', { retryAfterMs, attempted });
  }
  const isLate = signal.aborted || Date.now() > endsAtMs;
  return isLate ? new DeliveryError('receiver too slow', { attempted }) : null;
}

/** The list of attempts shows it as well: an event that is in no list would look like a lost one. */
function notSent({ attempts }: Sending, event: LoggedEvent, reason: DeliveryError): DeliveryError {
  const error = `not sent: ${reason.message}`;
  const outcome = { outcome: 'failed', status: null, latencyMs: 0, error, response: null } as const;
  attempts.add({ eventId: event.id, eventType: event.type, ...outcome });
  return reason;
}

async function attempt(
  { db, sender }: WebhookSubscriberDependencies,
  { endpoint, attempts, signal }: Sending,
  event: LoggedEvent,
): Promise<void> {
  const span = {
    name: `webhook ${event.type}`,
    kind: 'client',
    parent: event.traceparent,
    attributes: { 'order.id': event.orderId, 'webhook.endpoint.id': endpoint.id },
  } as const;
  const { outcome, made } = await inSpan(span, async ({ describe }) => {
    const sent = await sender.send({
      url: endpoint.url,
      id: event.id,
      secrets: endpoint.secrets,
      body: webhookBody(event),
      headers: { 'x-correlation-id': event.correlationId, ...currentTraceHeaders() },
      signal,
    });
    const recorded = attemptOf(sent);
    const { status, error } = recorded;
    describe({ error, ...(status !== null && { attributes: { [STATUS]: status } }) });
    return { outcome: sent, made: recorded };
  });
  attempts.add({ eventId: event.id, eventType: event.type, ...made });
  if (made.error === null) return;
  const error = deliveryErrorOf(made.error, outcome);
  if (error.final) await disableEndpoint(db, endpoint.id, GONE);
  throw error;
}

/** 410 ends the deliveries; 429 and 503 may say when to retry. */
function deliveryErrorOf(message: string, outcome: WebhookOutcome): DeliveryError {
  if (outcome.kind !== 'answered') return new DeliveryError(message);
  const { status, retryAfterMs } = outcome;
  const busy = (status === 429 || status === 503) && retryAfterMs !== null;
  return new DeliveryError(message, { final: status === 410, ...(busy && { retryAfterMs }) });
}
