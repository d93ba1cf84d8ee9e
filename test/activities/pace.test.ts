/** How long a failed step waits before it is tried again: by the time it has been trying. */
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { paced } from '../../activities/failures.ts';
import { createActivities } from '../../activities/index.ts';
import { createProviders } from '../support/bench.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function waitAfter(waitedMs: number, isOurs = false, breakerMs?: number): unknown {
  const failure = ApplicationFailure.create({
    message: 'reserve: outcome unknown',
    type: 'provider_unknown_outcome',
    ...(breakerMs !== undefined && { nextRetryDelay: breakerMs }),
  });
  const next = paced(failure, { waitedMs, isOurs });
  if (!(next instanceof ApplicationFailure)) throw new Error('another kind of failure');
  expect(next).toMatchObject({ message: failure.message, type: failure.type, nonRetryable: false });
  return next.nextRetryDelay;
}

describe('a step that has been trying for', () => {
  test.each([
    ['no time', 0, 1_000],
    ['a minute', MINUTE, 7_500],
    ['eight minutes', 8 * MINUTE, MINUTE],
    ['a day', 24 * HOUR, 10 * MINUTE],
  ])('%s', (_what, waitedMs, wait) => {
    expect(waitAfter(waitedMs)).toBe(wait);
  });

  test('a day, while our own database is away, is tried again within ten seconds', () => {
    expect(waitAfter(24 * HOUR, true)).toBe(10_000);
  });

  test('no time, while a breaker is open, waits for the breaker', () => {
    expect(waitAfter(0, false, MINUTE)).toBe(MINUTE);
    expect(waitAfter(HOUR, false, MINUTE)).toBe(7.5 * MINUTE);
  });
});

test('what no repetition can help stays as it is', () => {
  const failure = ApplicationFailure.nonRetryable('no', 'order_not_found');
  expect(paced(failure, { waitedMs: HOUR, isOurs: false })).toBe(failure);
});

test('an outage is noticed to be over within an eighth of it, after some sixty attempts an hour', () => {
  let attempts = 0;
  for (let waitedMs = 0; waitedMs < HOUR; attempts += 1) {
    const wait = Number(waitAfter(waitedMs));
    expect(wait).toBeLessThanOrEqual(Math.max(1_000, waitedMs / 8));
    waitedMs += wait;
  }
  expect(attempts).toBeLessThan(70);
});

test('an attempt knows from Temporal how long its step has been trying', async () => {
  const providers = await createProviders();
  try {
    const activities = createActivities({
      db: providers.db,
      ...providers.gateways,
      warehouseCallbackUrl: 'http://127.0.0.1:9/callbacks/warehouse',
    });
    const { orderId } = await providers.place();
    const place = { provider: 'warehouse', operation: 'reserve' } as const;
    providers.sandbox.faults.set(place, { mode: 'fail_before', times: 1 });
    const since = { scheduledTimestampMs: 0, currentAttemptScheduledTimestampMs: 8 * MINUTE };
    const worker = new MockActivityEnvironment(since, { logger: new DefaultLogger('ERROR') });
    const attempt = worker.run(() => activities.reserveStock({ orderId }));
    await expect(attempt).rejects.toMatchObject({ nextRetryDelay: MINUTE });
    expect(providers.sandbox.faults.list()[0]?.fired).toBe(1);
  } finally {
    await providers.close();
  }
});
