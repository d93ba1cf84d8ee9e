import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { subscriptionWorkflowId } from '../../domain/ids.ts';
import { webhookSubscription } from '../../domain/webhook.ts';
import { eventually } from '../support/eventually.ts';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { openSystem } from './system.ts';
import { useOpened } from '../support/use-opened.ts';

/** Webhooks through the whole service: API, event log, Temporal, worker, a receiver over HTTP. */
const system = useOpened(() => openSystem());
let receiver: WebhookReceiver;
let id: string;
let secret: string;
const PATH = '/v1/webhook-endpoints';
const created = z.object({ id: z.string(), secret: z.string() });

beforeAll(async () => {
  receiver = await startReceiver();
  const { body } = await system.operate('POST', PATH, { url: receiver.url });
  ({ id, secret } = created.parse(body));
});
afterAll(() => receiver?.close());

const WITHIN = { timeoutMs: 120_000 };

/** Places an order and gives the ids of all its events once it has shipped, in their order. */
async function shipOne(): Promise<readonly string[]> {
  const { status, body } = await system.place();
  expect(status).toBe(201);
  const { id: orderId } = z.object({ id: z.string() }).parse(body);
  const notification = { orderId, type: 'order.customer_notified' };
  await eventually(
    async () => expect(await system.db.event.count({ where: notification })).toBe(2),
    WITHIN,
  );
  const events = await system.db.event.findMany({ where: { orderId }, orderBy: { seq: 'asc' } });
  return events.map((event) => event.id);
}

const timesReceived = (eventId: string): number =>
  receiver.received.filter((each) => each.id === eventId).length;

test('every webhook of an order arrives once, in order, and verifies with the official library', async () => {
  const eventIds = await shipOne();
  await eventually(() => expect(receiver.received).toHaveLength(eventIds.length));
  expect(receiver.verified(secret).map((each) => each.id)).toEqual(eventIds);
});

test('webhooks missed by a broken receiver are sent again when an operator requests a redelivery', async () => {
  receiver.received.length = 0;
  receiver.answer = (response) => response.writeHead(500).end();
  const from = new Date().toISOString();
  const eventIds = await shipOne();
  // The third attempt is due after five minutes.
  await eventually(() => eventIds.forEach((each) => expect(timesReceived(each)).toBe(2)), WITHIN);
  receiver.received.length = 0;
  receiver.answer = (response) => response.writeHead(204).end();
  const to = new Date(Date.now() + 1_000).toISOString();
  const answer = await system.operate('POST', `${PATH}/${id}/redeliver`, { from, to });
  expect(answer).toMatchObject({ status: 202, body: { requested: eventIds.length } });
  await eventually(() => eventIds.forEach((each) => expect(timesReceived(each)).toBe(1)));
  expect(receiver.verified(secret)).toHaveLength(eventIds.length);
  const deliveries = await system.operate(
    'GET',
    `${PATH}/${id}/deliveries?event_id=${eventIds[0]}`,
  );
  expect(deliveries.body).toMatchObject({
    data: [{ outcome: 'delivered' }, { outcome: 'failed' }, { outcome: 'failed' }],
  });
});

test('a deleted webhook endpoint ends its pump workflow', async () => {
  expect(await system.operate('DELETE', `${PATH}/${id}`)).toMatchObject({ status: 204 });
  const name = subscriptionWorkflowId(webhookSubscription(id));
  await eventually(async () => {
    const { status } = await system.temporal.client.workflow.getHandle(name).describe();
    expect(status.name).toBe('COMPLETED');
  });
});
