import { fileURLToPath } from 'node:url';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Activities } from '../../activities/contract.ts';
import { createEventActivities } from '../../activities/events.ts';
import { createActivities } from '../../activities/index.ts';
import { createTemporalCheckouts } from '../../api/temporal-checkouts.ts';
import { createTemporalDeliveries } from '../../api/temporal-deliveries.ts';
import { checkoutWorkflowId, isOrderId, subscriptionWorkflowId } from '../../domain/ids.ts';
import type { OrderId } from '../../domain/ids.ts';
import { writeDeadLetter } from '../../prisma/dead-letters.ts';
import { LOG_START, readLog } from '../../prisma/event-log.ts';
import { ensureSubscription } from '../../prisma/subscriptions.ts';
import { TASK_QUEUE } from '../../workflows/contract.ts';
import { EVENTS_TASK_QUEUE } from '../../workflows/delivery-contract.ts';
import { eventually } from '../support/eventually.ts';
import { readable } from '../../audit/readable.ts';
import { createTimeSkippingEnv } from '../support/temporal.ts';
import { orderOf, problemOf } from './bodies.ts';
import { createShop, paymentEffects, type Shop } from './shop.ts';

let env: TestWorkflowEnvironment;
let shop: Shop;
let workers: Worker[] = [];
let running: Promise<void>[] = [];
const stopping = new AbortController();
/** Activities that fail while they are named here. */
const broken = new Set<string>();
const seen: string[] = [];

beforeAll(async () => {
  env = await createTimeSkippingEnv();
  const client = () => env.client;
  shop = await createShop({
    checkouts: createTemporalCheckouts({ client, eagerStart: false }),
    deliveries: createTemporalDeliveries({ client }),
  });
  const activities = breakable();
  workers = await Promise.all([
    open(TASK_QUEUE, activities),
    open(EVENTS_TASK_QUEUE, { ...activities, ...eventActivities() }),
  ]);
  running = workers.map((worker) => worker.run());
});
afterEach(() => broken.clear());
afterAll(async () => {
  stopping.abort();
  await shop?.db.subscription.deleteMany();
  for (const worker of workers) worker.shutdown();
  await Promise.all(running);
  await shop?.close();
  await env?.teardown();
});

function open(taskQueue: string, activities: object): Promise<Worker> {
  const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
  return Worker.create({ connection: env.nativeConnection, taskQueue, workflowsPath, activities });
}

function breakable(): Activities {
  const activities = createActivities({
    db: shop.db,
    ...shop.gateways,
    warehouseCallbackUrl: 'http://127.0.0.1:9/callbacks/warehouse',
  });
  const unlessBroken = <I, O>(name: string, work: (input: I) => Promise<O>) => {
    return async (input: I): Promise<O> => {
      if (broken.has(name)) throw new Error('the provider is away');
      return work(input);
    };
  };
  return {
    ...activities,
    capturePayment: unlessBroken('capturePayment', activities.capturePayment),
    notifyCustomer: unlessBroken('notifyCustomer', activities.notifyCustomer),
  };
}

function eventActivities() {
  return createEventActivities({
    db: shop.db,
    notifications: shop.services.notifications,
    stopping: stopping.signal,
    startDelivery: () => Promise.reject(new Error('nothing fails here')),
    subscriberOf: async (name) => ({
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
    }),
  });
}

async function placed(): Promise<OrderId> {
  const { id } = await orderOf(await shop.place());
  await shop.services.starter.drain();
  if (!isOrderId(id)) throw new Error(id);
  return id;
}

/** Each look lets time pass first, in which a worker on a busy machine has much to do. */
const PATIENCE = { timeoutMs: 120_000 } as const;

const letterList = z.object({
  data: z.array(z.looseObject({ id: z.string(), status: z.string(), subject: z.string() })),
});

async function lettersOf(orderId: OrderId, source: string) {
  const path = `/v1/dead-letters?order_id=${orderId}&source=${source}`;
  const response = await shop.ask('GET', path, { role: 'operator' });
  return letterList.parse(await response.json()).data;
}

/** Lets time pass until the order has an open letter, and gives its id. */
async function buried(orderId: OrderId, source: string): Promise<string> {
  return eventually(async () => {
    await env.sleep('1 day');
    const open = (await lettersOf(orderId, source)).find(({ status }) => status === 'open');
    if (!open) throw new Error('no letter yet');
    return open.id;
  }, PATIENCE);
}

const redrive = (id: string, body: object = {}) =>
  shop.ask('POST', `/v1/dead-letters/${id}/redrive`, { role: 'operator', body });

async function comesTo(orderId: OrderId, status: string): Promise<void> {
  await eventually(async () => {
    await env.sleep('10 minutes');
    const order = await shop.ask('GET', `/v1/orders/${orderId}`);
    expect((await orderOf(order)).status).toBe(status);
  }, PATIENCE);
}

test('a redriven capture step resumes the order, captures once, and keeps the note out of the history', async () => {
  broken.add('capturePayment');
  const orderId = await placed();
  const id = await buried(orderId, 'checkout');
  broken.clear();
  const note = 'canary.person@example.com asked for it';
  expect((await redrive(id, { note })).status).toBe(202);
  await comesTo(orderId, 'shipped');
  expect(paymentEffects(shop, orderId)).toMatchObject({ authorize: 1, capture: 1 });
  expect(await lettersOf(orderId, 'checkout')).toMatchObject([
    { id, status: 'resolved', subject: 'capturePayment', note, actor: expect.any(String) },
  ]);
  const handle = env.client.workflow.getHandle(checkoutWorkflowId(orderId));
  const history = readable(await handle.fetchHistory());
  expect(history).toContain(`dead letter ${id}`);
  expect(history).not.toContain('canary');
  expect((await problemOf(await redrive(id))).code).toBe('dead_letter_not_open');
});

test('a redrive with the action cancel cancels the waiting order and voids its payment', async () => {
  broken.add('capturePayment');
  const orderId = await placed();
  const id = await buried(orderId, 'checkout');
  expect((await redrive(id, { action: 'cancel' })).status).toBe(202);
  await comesTo(orderId, 'cancelled');
  expect(paymentEffects(shop, orderId)).toMatchObject({ void: 1 });
});

test('a redrive of a step that no longer waits is refused, and the dead letter stays open', async () => {
  const orderId = await placed();
  await comesTo(orderId, 'shipped');
  const id = await bury(orderId, { source: 'checkout', subject: 'capturePayment', eventId: null });
  expect((await problemOf(await redrive(id))).code).toBe('step_not_waiting');
  expect(await lettersOf(orderId, 'checkout')).toMatchObject([{ id, status: 'open' }]);
});

test('a redrive of failed notifications resolves their dead letters', async () => {
  broken.add('notifyCustomer');
  const orderId = await placed();
  await buried(orderId, 'notification');
  await comesTo(orderId, 'shipped');
  await buried(orderId, 'notification');
  broken.clear();
  for (const { id, status } of await lettersOf(orderId, 'notification')) {
    if (status === 'open') expect((await redrive(id)).status).toBe(202);
  }
  await eventually(async () => {
    const statuses = (await lettersOf(orderId, 'notification')).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set(['resolved']));
  });
});

test('a redriven delivery has the same event id and resolves the dead letter', async () => {
  const orderId = await placed();
  const event = await eventually(async () => {
    const [first] = await readLog(shop.db, { after: LOG_START, orderId, limit: 1 });
    if (!first) throw new Error('not readable yet');
    return first;
  });
  const id = await bury(orderId, { source: 'delivery', subject: 'mended', eventId: event.id });
  expect((await redrive(id)).status).toBe(202);
  await eventually(async () => {
    expect(await lettersOf(orderId, 'delivery')).toMatchObject([{ id, status: 'resolved' }]);
  });
  expect(seen).toEqual([event.id]);
});

test('a resumed subscription runs, also when the resume is repeated', async () => {
  const name = 'resumed/by hand';
  await ensureSubscription(shop.db, { name, types: [], cursor: LOG_START });
  const path = `/v1/subscriptions/${encodeURIComponent(name)}/resume`;
  for (const _ of [1, 2]) {
    expect((await shop.ask('POST', path, { role: 'operator' })).status).toBe(200);
  }
  const handle = env.client.workflow.getHandle(subscriptionWorkflowId(name));
  expect((await handle.describe()).status.name).toBe('RUNNING');
});

async function bury(
  orderId: OrderId,
  about: Pick<Parameters<typeof writeDeadLetter>[1], 'source' | 'subject' | 'eventId'>,
): Promise<string> {
  const at = new Date().toISOString();
  await shop.db.$transaction((tx) =>
    writeDeadLetter(tx, {
      ...about,
      orderId,
      message: {},
      error: 'HTTP 500',
      retryCount: 3,
      firstFailedAt: at,
      lastFailedAt: at,
    }),
  );
  const [letter] = await lettersOf(orderId, about.source);
  if (!letter) throw new Error('no letter');
  return letter.id;
}
