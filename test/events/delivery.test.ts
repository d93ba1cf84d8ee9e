import { expect, test } from 'vitest';
import { DeliveryError } from '../../activities/events/subscribers/subscriber.ts';
import { DEFAULT_RETRY_DELAYS_MS } from '../../domain/delivery.ts';
import { recordDeadLetter } from '../../prisma/events/dead-letters.ts';
import { DELIVERY_WORKFLOW, deliveryStartOptions } from '../../workflows/events/contract.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { deliver, eventFor, EVENTS_ONLY, deadLettersFor } from './subscribers.ts';

const HOURS = 3_600_000;

const shop = useSkippingShop(EVENTS_ONLY);

test('a delivery is attempted three times by default, and its dead letter has the first and last failure', async () => {
  const { event } = await eventFor(shop, 'defaults', () => {
    throw new DeliveryError('no');
  });
  const firstFailedAt = '2020-01-01T00:00:00.000Z';
  const delaysMs = DEFAULT_RETRY_DELAYS_MS;
  const result = await deliver(shop, { ...event, attempts: 1, delaysMs, firstFailedAt });
  expect(result.attempts).toBe(3);
  const deadLetter = (await deadLettersFor(shop, 'defaults'))[0];
  expect(deadLetter).toMatchObject({ retryCount: 3, firstFailedAt });
  expect(Date.parse(deadLetter?.lastFailedAt ?? '')).toBeGreaterThan(Date.parse(firstFailedAt));
});

test('a consumer that sets a retry delay is not called before it has passed', async () => {
  let called = 0;
  const { event } = await eventFor(shop, 'delayed', () => {
    called += 1;
    if (called === 1) throw new DeliveryError('busy', { retryAfterMs: 2 * HOURS });
  });
  const result = await deliver(shop, { ...event, attempts: 0, delaysMs: [0, 1_000] });
  expect(result.status).toBe('delivered');
  expect(result.tookMs).toBeGreaterThanOrEqual(2 * HOURS);
});

test('a delivery that failed as final is not retried', async () => {
  const { event, calls } = await eventFor(shop, 'final', () => {
    throw new DeliveryError('gone', { final: true });
  });
  const result = await deliver(shop, { ...event, attempts: 0, delaysMs: [0, 0, 0] });
  expect(result).toMatchObject({ status: 'dead', attempts: 1 });
  expect(calls()).toBe(1);
});

test('a redrive to a repaired consumer resolves the dead letter and keeps the event id', async () => {
  let mended = false;
  const seen: string[] = [];
  const { event } = await eventFor(shop, 'mended', (id) => {
    seen.push(id);
    if (!mended) throw new DeliveryError('broken');
  });
  await deliver(shop, { ...event, attempts: 0, delaysMs: [0] });
  expect((await deadLettersFor(shop, 'mended'))[0]?.status).toBe('open');
  mended = true;
  await deliver(shop, { ...event, attempts: 0, delaysMs: [0] });
  expect((await deadLettersFor(shop, 'mended'))[0]?.status).toBe('resolved');
  expect(new Set(seen)).toEqual(new Set([event.eventId]));
});

test('a redrive that fails keeps one open dead letter that counts all attempts', async () => {
  const { event } = await eventFor(shop, 'stubborn', () => {
    throw new DeliveryError('still broken');
  });
  await deliver(shop, { ...event, attempts: 0, delaysMs: [0, 0] });
  await deliver(shop, { ...event, attempts: 0, delaysMs: [0] });
  const deadLetters = await deadLettersFor(shop, 'stubborn');
  expect(deadLetters).toHaveLength(1);
  expect(deadLetters[0]).toMatchObject({ status: 'open', retryCount: 3 });
});

test('a delivery that never reached the consumer does not raise the retry count of its dead letter', async () => {
  let closed = true;
  const { event } = await eventFor(shop, 'closed', () => {
    throw new DeliveryError('closed', { final: true, attempted: !closed });
  });
  const counted: (number | undefined)[] = [];
  for (closed of [true, false, true]) {
    await deliver(shop, { ...event, attempts: 0, delaysMs: [0] });
    counted.push((await deadLettersFor(shop, 'closed'))[0]?.retryCount);
  }
  // A subscriber that was never counted got at least one call, or nothing would be retried.
  expect(counted).toEqual([1, 2, 2]);
});

test('a waiting delivery is kept when the pump starts it again and replaced when an operator redrives it', async () => {
  const { event } = await eventFor(shop, 'waiting', () => undefined);
  const start = async (more: { firstFailedAt: string | null; attempts: number }) => {
    const options = deliveryStartOptions({ ...event, delaysMs: [HOURS], ...more });
    const begun = await shop.temporal.client.workflow.start(DELIVERY_WORKFLOW, {
      ...options,
      // No worker polls this queue, so it keeps waiting.
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
  const { event } = await eventFor(shop, 'lost', () => undefined);
  const { subscription: subject, eventId, orderId } = event;
  const at = new Date().toISOString();
  const deadLetter = { source: 'delivery', subject, eventId, orderId, message: {} } as const;
  const failed = { error: 'HTTP 500', retryCount: 3, firstFailedAt: at, lastFailedAt: at };
  for (const _ of ['written', 'again']) {
    await shop.db.$transaction((tx) => recordDeadLetter(tx, { ...deadLetter, ...failed }));
  }
  expect((await deadLettersFor(shop, 'lost'))[0]?.retryCount).toBe(3);
});

test('an unexpected error of a consumer is recorded in the dead letter only by its type', async () => {
  const { event } = await eventFor(shop, 'leaky', () => {
    throw new TypeError('canary.person@example.com is not a function');
  });
  await deliver(shop, { ...event, attempts: 0, delaysMs: [0] });
  expect((await deadLettersFor(shop, 'leaky'))[0]?.error).toBe('unexpected TypeError');
});
