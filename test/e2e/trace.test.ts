import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import {
  checkoutWorkflowId,
  isOrderId,
  isRefundId,
  refundWorkflowId,
  type OrderId,
} from '../../domain/ids.ts';
import { traceIdOf } from '../../telemetry/traceparent.ts';
import { eventually } from '../support/eventually.ts';
import { startReceiver } from '../support/webhook-receiver.ts';
import { openSystem } from './system.ts';
import { useOpened } from '../support/use-opened.ts';

/** A trace through the whole service. The servers in this process stand for other companies. */
const system = useOpened(() => openSystem());
const receiver = useOpened(startReceiver);
const received: { readonly call: string; readonly traceparent: string | undefined }[] = [];

beforeAll(async () => {
  subscribe('http.server.request.start', recordCall);
  await system.operate('POST', '/v1/webhook-endpoints', { url: receiver.url });
});
beforeEach(() => {
  received.length = 0;
  receiver.received.length = 0;
});
afterAll(() => unsubscribe('http.server.request.start', recordCall));

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;
const WITHIN = { timeoutMs: 120_000 };

test('the trace of an order reaches every HTTP provider, each webhook and the event feed', async () => {
  const orderId = await shipOne({ traceparent: TRACEPARENT });
  const { refundId } = await refundOne(orderId);
  const events = await publishedEvents(orderId);
  expect(events.map(({ traceparent }) => traceparent)).toEqual(events.map(() => TRACEPARENT));

  const ours = received.filter(({ traceparent }) => traceIdOf(traceparent ?? '') === TRACE);
  // Look-ups depend on how fast the responses are.
  const posts = ours.map(({ call }) => call).filter((call) => call.startsWith('POST'));
  expect([...new Set(posts)].toSorted()).toEqual([
    'POST /hooks',
    'POST /v1/payment_intents',
    'POST /v1/payment_intents/*/capture',
    'POST /v1/refunds',
    'POST /warehouse/reservations',
    'POST /warehouse/shipments',
  ]);
  const parents = ours.map(({ traceparent }) => traceparent?.split('-')[2]);
  expect(new Set([...parents, PARENT]).size).toBe(ours.length + 1);
  expect(receiver.received.map(({ headers }) => traceIdOf(headers['traceparent'] ?? ''))).toEqual(
    receiver.received.map(() => TRACE),
  );

  for (const id of [checkoutWorkflowId(orderId), refundWorkflowId(refundId)]) {
    const { memo } = await system.temporal.client.workflow.getHandle(id).describe();
    expect(memo).toMatchObject({ traceparent: TRACEPARENT });
  }
});

test('an invalid traceparent is not propagated and the order still ships', async () => {
  const orderId = await shipOne({ traceparent: `00-${TRACE}-${PARENT}-01-and-more` });
  for (const event of await publishedEvents(orderId))
    expect(event).not.toHaveProperty('traceparent');
  expect(received.length).toBeGreaterThan(0);
  expect(received.filter(({ traceparent }) => traceparent !== undefined)).toEqual([]);
  const { memo } = await system.temporal.client.workflow
    .getHandle(checkoutWorkflowId(orderId))
    .describe();
  expect(memo).not.toHaveProperty('traceparent');
});

function recordCall(message: unknown): void {
  const { request } = z.object({ request: z.instanceof(IncomingMessage) }).parse(message);
  const traceparent = z.string().optional().parse(request.headers['traceparent']);
  const path = (request.url ?? '').replace(/\?.*/, '').replace(/\/(?:pi|ord)_[^/]+/, '/*');
  received.push({ call: `${request.method} ${path}`, traceparent });
}

async function shipOne(headers: Readonly<Record<string, string>>): Promise<OrderId> {
  const { status, body } = await system.place({ headers });
  expect(status).toBe(201);
  const { id } = z.object({ id: z.string() }).parse(body);
  if (!isOrderId(id)) throw new Error(`not an order: ${id}`);
  await eventCount(id, { type: 'order.customer_notified', times: 2 });
  return id;
}

async function refundOne(orderId: OrderId) {
  const wanted = { reason: 'one was broken', amount_minor: 100 };
  const { body } = await system.operate('POST', `/v1/orders/${orderId}/refunds`, wanted);
  const { id } = z.object({ id: z.string() }).parse(body);
  if (!isRefundId(id)) throw new Error(`not a refund: ${id}`);
  await eventCount(orderId, { type: 'order.customer_notified', times: 3 });
  return { refundId: id };
}

async function eventCount(
  orderId: OrderId,
  { type, times }: { readonly type: string; readonly times: number },
): Promise<void> {
  await eventually(
    async () => expect(await system.db.event.count({ where: { orderId, type } })).toBe(times),
    WITHIN,
  );
}

const feed = z.object({
  data: z.array(z.looseObject({ id: z.string(), subject: z.string() })),
});

/** The order's events in the feed, once the receiver has got each of them. */
async function publishedEvents(orderId: OrderId) {
  // The feed shows an event once all older transactions have ended, also those of other tests.
  const events = await eventually(async () => {
    const { body } = await system.operate('GET', '/v1/events?limit=500');
    const found = feed.parse(body).data.filter(({ subject }) => subject === orderId);
    expect(found).toHaveLength(await system.db.event.count({ where: { orderId } }));
    return found;
  });
  expect(events.length).toBeGreaterThan(5);
  await eventually(
    () => expect(receiver.received.map(({ id }) => id).toSorted()).toEqual(idsOf(events)),
    WITHIN,
  );
  return events;
}

function idsOf(events: readonly { readonly id: string }[]): readonly string[] {
  return events.map(({ id }) => id).toSorted();
}
