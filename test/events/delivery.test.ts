import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  DEFAULT_RETRY_DELAYS_MS,
  DeliveryError,
  type Subscriber,
} from '../../activities/subscribers/subscriber.ts';
import type { OrderId } from '../../domain/ids.ts';
import { listDeadLetters, writeDeadLetter, type DeadLetter } from '../../prisma/dead-letters.ts';
import { DELIVERY_WORKFLOW, deliveryStartOptions } from '../../workflows/delivery-contract.ts';
import { cell } from '../faults/cell.ts';
import { createEventsBench, type EventsBench } from '../support/events-bench.ts';
import { createTimeSkippingEnv } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
let bench: EventsBench;

beforeAll(async () => {
  env = await createTimeSkippingEnv();
  bench = await createEventsBench({ client: env.client, connection: env.nativeConnection });
});
afterAll(async () => {
  await bench?.close();
  await env?.teardown();
});

const HOURS = 3_600_000;
/** Standard Webhooks 1.0: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h after the first. */
const WEBHOOK_DELAYS_MS = [
  5_000,
  300_000,
  1_800_000,
  ...[2, 5, 10, 14, 20, 24].map((h) => h * HOURS),
];

const tenTimes =
  'a webhook that always fails is attempted ten times over 75 h 35 min and becomes a dead letter';
cell('S8/F6', tenTimes, async (proof) => {
  const { event, calls, subscriber } = await given('hooks', () => {
    throw new DeliveryError('HTTP 500');
  });
  const result = await bench.deliver({ ...event, attempts: 1, delaysMs: WEBHOOK_DELAYS_MS });
  expect(result).toMatchObject({ status: 'dead', attempts: 10 });
  expect(calls()).toBe(9);
  proof.fired(calls());
  const scheduleMs = 75 * HOURS + 35 * 60_000 + 5_000;
  expect(result.tookMs).toBeGreaterThanOrEqual(scheduleMs);
  expect(result.tookMs).toBeLessThan(scheduleMs * 1.06);
  expect(await letterOf(subscriber)).toMatchObject({
    retryCount: 10,
    error: 'HTTP 500',
    fingerprint: 'hooks: HTTP N',
    status: 'open',
    eventId: event.eventId,
  });
});

test('a delivery is attempted three times by default, and its dead letter has the first and last failure', async () => {
  const { event, subscriber } = await given('defaults', () => {
    throw new DeliveryError('no');
  });
  const firstFailedAt = '2020-01-01T00:00:00.000Z';
  const delaysMs = DEFAULT_RETRY_DELAYS_MS;
  const result = await bench.deliver({ ...event, attempts: 1, delaysMs, firstFailedAt });
  expect(result.attempts).toBe(3);
  const letter = await letterOf(subscriber);
  expect(letter).toMatchObject({ retryCount: 3, firstFailedAt });
  expect(Date.parse(letter?.lastFailedAt ?? '')).toBeGreaterThan(Date.parse(firstFailedAt));
});

test('a consumer that sets a retry delay is not called before it has passed', async () => {
  let asked = 0;
  const { event } = await given('patient', () => {
    asked += 1;
    if (asked === 1) throw new DeliveryError('busy', { retryAfterMs: 2 * HOURS });
  });
  const result = await bench.deliver({ ...event, attempts: 0, delaysMs: [0, 1_000] });
  expect(result.status).toBe('delivered');
  expect(result.tookMs).toBeGreaterThanOrEqual(2 * HOURS);
});

test('a delivery that failed as final is not retried', async () => {
  const { event, calls } = await given('final', () => {
    throw new DeliveryError('gone', { final: true });
  });
  const result = await bench.deliver({ ...event, attempts: 0, delaysMs: [0, 0, 0] });
  expect(result).toMatchObject({ status: 'dead', attempts: 1 });
  expect(calls()).toBe(1);
});

test('a redrive to a repaired consumer resolves the dead letter and keeps the event id', async () => {
  let mended = false;
  const seen: string[] = [];
  const { event, subscriber } = await given('mended', (id) => {
    seen.push(id);
    if (!mended) throw new DeliveryError('broken');
  });
  await bench.deliver({ ...event, attempts: 0, delaysMs: [0] });
  expect((await letterOf(subscriber))?.status).toBe('open');
  mended = true;
  await bench.deliver({ ...event, attempts: 0, delaysMs: [0] });
  expect((await letterOf(subscriber))?.status).toBe('resolved');
  expect(new Set(seen)).toEqual(new Set([event.eventId]));
});

test('a redrive that fails keeps one open dead letter that counts all attempts', async () => {
  const { event, subscriber } = await given('stubborn', () => {
    throw new DeliveryError('still broken');
  });
  await bench.deliver({ ...event, attempts: 0, delaysMs: [0, 0] });
  await bench.deliver({ ...event, attempts: 0, delaysMs: [0] });
  const { letters } = await listDeadLetters(bench.db, { subject: subscriber.name }, { limit: 10 });
  expect(letters).toHaveLength(1);
  expect(letters[0]).toMatchObject({ status: 'open', retryCount: 3 });
});

test('a delivery that never reached the consumer does not raise the retry count of its dead letter', async () => {
  let closed = true;
  const { event, subscriber } = await given('closed', () => {
    throw new DeliveryError('closed', { final: true, attempted: !closed });
  });
  const counted: (number | undefined)[] = [];
  for (closed of [true, false, true]) {
    await bench.deliver({ ...event, attempts: 0, delaysMs: [0] });
    counted.push((await letterOf(subscriber))?.retryCount);
  }
  // Whoever was never counted was asked at least once, or nothing would be retried.
  expect(counted).toEqual([1, 2, 2]);
});

test('a waiting delivery is kept when the pump starts it again and replaced when an operator redrives it', async () => {
  const { event } = await given('waiting', () => undefined);
  const start = async (more: { firstFailedAt: string | null; attempts: number }) => {
    const options = deliveryStartOptions({ ...event, delaysMs: [HOURS], ...more });
    const begun = await env.client.workflow.start(DELIVERY_WORKFLOW, {
      ...options,
      // Where nobody works: it goes on waiting.
      taskQueue: 'nobody',
    });
    return begun.firstExecutionRunId;
  };
  const firstFailedAt = new Date().toISOString();
  const waiting = await start({ attempts: 1, firstFailedAt });
  for (const attempts of [1, 0]) expect(await start({ attempts, firstFailedAt })).toBe(waiting);
  expect(await start({ attempts: 0, firstFailedAt: null })).not.toBe(waiting);
});

test('a dead letter recorded again after a lost response counts its attempts once', async () => {
  const { event, subscriber } = await given('lost', () => undefined);
  const { subscription: subject, eventId, orderId } = event;
  const at = new Date().toISOString();
  const letter = { source: 'delivery', subject, eventId, orderId, message: {} } as const;
  const failed = { error: 'HTTP 500', retryCount: 3, firstFailedAt: at, lastFailedAt: at };
  for (const _ of ['written', 'again']) {
    await bench.db.$transaction((tx) => writeDeadLetter(tx, { ...letter, ...failed }));
  }
  expect((await letterOf(subscriber))?.retryCount).toBe(3);
});

test('an unexpected error of a consumer is recorded in the dead letter only by its type', async () => {
  const { event, subscriber } = await given('leaky', () => {
    throw new TypeError('canary.person@example.com is not a function');
  });
  await bench.deliver({ ...event, attempts: 0, delaysMs: [0] });
  expect((await letterOf(subscriber))?.error).toBe('unexpected TypeError');
});

/** A subscriber with the given behaviour, and an event of a fresh order for it. */
async function given(name: string, handle: (eventId: string) => void) {
  let called = 0;
  const subscriber: Subscriber = {
    name,
    types: ['order.expired'],
    startsAt: 'now',
    maxBatch: 10,
    delayMs: 0,
    deadlineMs: 1_000,
    retryDelaysMs: [],
    handle(events) {
      called += 1;
      for (const event of events) handle(event.id);
      return Promise.resolve();
    },
  };
  bench.addSubscriber(subscriber);
  const { orderId } = await bench.place();
  const stored = await bench.db.event.findFirstOrThrow({ where: { orderId } });
  const event = {
    subscription: name,
    eventId: stored.id,
    orderId: orderId satisfies OrderId,
    firstFailedAt: null,
    error: null,
  };
  return { subscriber, event, calls: () => called };
}

async function letterOf({ name }: Subscriber): Promise<DeadLetter | undefined> {
  const { letters } = await listDeadLetters(bench.db, { subject: name }, { limit: 10 });
  return letters[0];
}
