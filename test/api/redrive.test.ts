import { ApplicationFailure } from '@temporalio/common';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import type { Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import { readable } from '../../tools/audit/readable.ts';
import type { FailureType } from '../../domain/failures.ts';
import { subscriptionWorkflowId, type OrderId } from '../../domain/ids.ts';
import { LOG_START, readLog } from '../../prisma/events/event-log.ts';
import { ensureSubscription } from '../../prisma/events/subscriptions.ts';
import { eventually } from '../support/eventually.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { paymentEffects } from '../support/shop.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { deadLetterFixture } from './dead-letter-fixture.ts';

const REFUSED: FailureType = 'provider_rejected_request';
/** Activities in this set fail permanently, without retries. */
const broken = new Set<string>();
const shop = useRunningShop({
  queues: ['checkouts', 'events'],
  takesCallbacks: true,
  adapt: ({ capturePayment, notifyCustomer }) => ({
    capturePayment: unlessBroken('capturePayment', capturePayment),
    notifyCustomer: unlessBroken('notifyCustomer', notifyCustomer),
  }),
});
afterEach(() => broken.clear());

function unlessBroken<I, O>(
  name: string,
  work: (input: I) => Promise<O>,
): (input: I) => Promise<O> {
  return async (input) => {
    if (broken.has(name)) throw ApplicationFailure.nonRetryable('refused', REFUSED);
    return work(input);
  };
}

const placed = async (): Promise<OrderId> => (await shop.order()).orderId;

const deadLetterList = z.object({
  data: z.array(z.looseObject({ id: z.string(), status: z.string(), subject: z.string() })),
});

async function deadLettersOf(orderId: OrderId, source: string) {
  const path = `/v1/dead-letters?order_id=${orderId}&source=${source}`;
  const response = await shop.request('GET', path, { role: 'operator' });
  return deadLetterList.parse(await response.json()).data;
}

/** Waits for this many open dead letters of the order. */
function buried(orderId: OrderId, source: string, count = 1): Promise<string[]> {
  return eventually(async () => {
    const open = (await deadLettersOf(orderId, source)).filter(({ status }) => status === 'open');
    expect(open).toHaveLength(count);
    return open.map(({ id }) => id);
  });
}

const redrive = (id = '', body: object = {}) =>
  shop.request('POST', `/v1/dead-letters/${id}/redrive`, { role: 'operator', body });

async function comesTo(orderId: OrderId, status: string): Promise<void> {
  await eventually(async () => {
    const order = await shop.request('GET', `/v1/orders/${orderId}`);
    expect((await orderOf(order)).status).toBe(status);
  });
}

/** Takes every event, and keeps their ids. */
function subscribe(name: string): readonly string[] {
  const seen: string[] = [];
  const subscriber: Subscriber = {
    name,
    types: [],
    startsAt: 'now',
    maxBatch: 1,
    delayMs: 0,
    deadlineMs: 1_000,
    retryDelaysMs: [],
    async handle(events) {
      seen.push(...events.map(({ id }) => id));
    },
  };
  shop.subscribers.set(name, subscriber);
  return seen;
}

test('a redriven capture step resumes the order, captures once, and keeps the note out of the history', async () => {
  broken.add('capturePayment');
  const orderId = await placed();
  const [id] = await buried(orderId, 'checkout');
  broken.clear();
  const note = 'canary.person@example.com asked for it';
  expect((await redrive(id, { note })).status).toBe(202);
  await comesTo(orderId, 'shipped');
  expect(paymentEffects(shop, orderId)).toMatchObject({ authorize: 1, capture: 1 });
  expect(await deadLettersOf(orderId, 'checkout')).toMatchObject([
    { id, status: 'resolved', subject: 'capturePayment', note, actor: expect.any(String) },
  ]);
  const history = readable(await shop.checkoutOf(orderId).fetchHistory());
  expect(history).toContain(`dead letter ${id}`);
  expect(history).not.toContain('canary');
  expect((await problemOf(await redrive(id))).code).toBe('dead_letter_not_open');
});

test('a redrive with the action cancel cancels the waiting order and voids its payment', async () => {
  broken.add('capturePayment');
  const orderId = await placed();
  const [id] = await buried(orderId, 'checkout');
  expect((await redrive(id, { action: 'cancel' })).status).toBe(202);
  await comesTo(orderId, 'cancelled');
  expect(paymentEffects(shop, orderId)).toMatchObject({ void: 1 });
});

test('a redrive of a step that no longer waits is refused, and the dead letter stays open', async () => {
  const orderId = await placed();
  await comesTo(orderId, 'shipped');
  const id = await deadLetterFixture(shop.db, orderId, {
    source: 'checkout',
    subject: 'capturePayment',
    eventId: null,
  });
  expect((await problemOf(await redrive(id))).code).toBe('step_not_waiting');
  expect(await deadLettersOf(orderId, 'checkout')).toMatchObject([{ id, status: 'open' }]);
  // The code under test does not write such a dead letter.
  await shop.db.deadLetter.delete({ where: { id } });
});

test('a redrive of failed notifications resolves their dead letters', async () => {
  broken.add('notifyCustomer');
  const orderId = await placed();
  await comesTo(orderId, 'shipped');
  const ids = await buried(orderId, 'notification', 2);
  broken.clear();
  for (const id of ids) expect((await redrive(id)).status).toBe(202);
  await eventually(async () => {
    const statuses = (await deadLettersOf(orderId, 'notification')).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set(['resolved']));
  });
});

test('a redriven delivery has the same event id and resolves the dead letter', async () => {
  const orderId = await placed();
  const event = await eventually(async () => {
    const { events } = await readLog(shop.db, { after: LOG_START, orderId, limit: 1 });
    const [first] = events;
    if (!first) throw new Error('not readable yet');
    return first;
  });
  const seen = subscribe('mended');
  const id = await deadLetterFixture(shop.db, orderId, {
    source: 'delivery',
    subject: 'mended',
    eventId: event.id,
  });
  expect((await redrive(id)).status).toBe(202);
  await eventually(async () => {
    expect(await deadLettersOf(orderId, 'delivery')).toMatchObject([{ id, status: 'resolved' }]);
  });
  expect(seen).toEqual([event.id]);
});

test('a resumed subscription runs, also when the resume is repeated', async () => {
  const name = 'resumed/by hand';
  subscribe(name);
  await ensureSubscription(shop.db, { name, types: [], cursor: LOG_START });
  const path = `/v1/subscriptions/${encodeURIComponent(name)}/resume`;
  for (const _ of [1, 2]) {
    expect((await shop.request('POST', path, { role: 'operator' })).status).toBe(200);
  }
  const handle = shop.temporal.client.workflow.getHandle(subscriptionWorkflowId(name));
  expect((await handle.describe()).status.name).toBe('RUNNING');
});
