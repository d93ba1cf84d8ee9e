import { expect } from 'vitest';
import { DeliveryError } from '../../activities/events/subscribers/subscriber.ts';
import { WEBHOOK_RETRY_DELAYS_MS } from '../../domain/delivery.ts';
import { deliver, eventFor, EVENTS_ONLY, deadLettersFor } from '../events/subscribers.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { test } from './matrix-case.ts';

const HOURS = 3_600_000;
const shop = useSkippingShop(EVENTS_ONLY);
test('[S8/F6] a webhook that always fails is attempted ten times over 75 h 35 min and becomes a dead letter', async (proof) => {
  const { event, calls } = await eventFor(shop, 'hooks', () => {
    throw new DeliveryError('HTTP 500');
  });
  const result = await deliver(shop, { ...event, attempts: 1, delaysMs: WEBHOOK_RETRY_DELAYS_MS });
  expect(result).toMatchObject({ status: 'dead', attempts: 10 });
  expect(calls()).toBe(9);
  proof.fired(calls());
  const scheduleMs = 75 * HOURS + 35 * 60_000 + 5_000;
  expect(result.tookMs).toBeGreaterThanOrEqual(scheduleMs);
  expect(result.tookMs).toBeLessThan(scheduleMs * 1.06);
  expect((await deadLettersFor(shop, 'hooks'))[0]).toMatchObject({
    retryCount: 10,
    error: 'HTTP 500',
    fingerprint: 'hooks: HTTP N',
    status: 'open',
    eventId: event.eventId,
  });
});
