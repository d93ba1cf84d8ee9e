import { describe, expect, test } from 'vitest';
import { ConcurrencyLimiter } from '../../api/limits/concurrency-limit.ts';
import { eventually } from '../support/eventually.ts';
import { connected, LIMITS, permitOf } from './low-limits.ts';
import { times } from '../support/times.ts';

describe('a concurrency limiter', () => {
  test('requests over the running limit are queued and then admitted; those over the queue limit are rejected at once', async () => {
    const limiter = new ConcurrencyLimiter(LIMITS);
    const results = times(6, () => limiter.acquire(connected()));
    expect(await results[5]).toBe('queue_full');
    expect(limiter.view()).toMatchObject({ running: 2, queued: 3 });
    for (const each of results.slice(0, 5)) {
      const permit = permitOf(await each);
      expect(limiter.view().running).toBeLessThanOrEqual(2);
      permit.release();
    }
    expect(limiter.view()).toMatchObject({ running: 0, queued: 0 });
  });

  test('a busy process runs fewer requests at once, and more again when its load drops', async () => {
    const busy = { share: 1 };
    const limits = { ...LIMITS, maxRunning: 8, minRunning: 2, maxQueued: 100 };
    const limiter = new ConcurrencyLimiter(limits, { utilization: () => busy.share });
    for (let i = 0; i < 10; i += 1) permitOf(await limiter.acquire(connected())).release();
    const [first] = times(20, () => limiter.acquire(connected()));
    expect(limiter.view()).toMatchObject({ running: 2, queued: 18 });
    busy.share = 0.5;
    permitOf(await first).release();
    expect(limiter.view()).toMatchObject({ running: 8, queued: 11 });
  });

  test('a permit that is released twice is counted once', async () => {
    const limiter = new ConcurrencyLimiter(LIMITS);
    const permit = permitOf(await limiter.acquire(connected()));
    permit.release();
    permit.release();
    expect(limiter.view().running).toBe(0);
  });

  test('a stalled queue that is not full rejects a new request and later admits the one that waits', async () => {
    const limiter = new ConcurrencyLimiter({ ...LIMITS, stalledAfterMs: 1 });
    const running = times(2, () => limiter.acquire(connected()));
    const first = limiter.acquire(connected());
    await eventually(async () => {
      expect(await limiter.acquire(AbortSignal.timeout(10))).toBe('queue_full');
    });
    for (const each of running) permitOf(await each).release();
    permitOf(await first);
  });

  test('a queue that stays in use shrinks evenly, and may fill up again once it was empty', async () => {
    let nowMs = 0;
    const limits = { ...LIMITS, maxQueued: 10, maxStalled: 2, stalledAfterMs: 4_000 };
    const limiter = new ConcurrencyLimiter(limits, { nowMs: () => nowMs });
    void times(3, () => limiter.acquire(connected()));
    nowMs = 2_000;
    expect(queuedOf(limiter, 20)).toBe(6);
    limiter.rejectQueue('database_unavailable');
    expect(queuedOf(limiter, 20)).toBe(10);
  });

  test('a request that could not be served within the maximum wait is rejected at once', async () => {
    let nowMs = 0;
    const limits = { ...LIMITS, maxQueued: 100, maxStalled: 100, maxWaitMs: 10_000 };
    const limiter = new ConcurrencyLimiter(limits, { nowMs: () => nowMs });
    const results = times(12, () => limiter.acquire(connected()));
    // One a second is served: eight within 80 % of the maximum wait.
    for (const each of results.slice(0, 4)) {
      nowMs += 1_000;
      permitOf(await each).release();
    }
    expect(limiter.view()).toMatchObject({ running: 2, queued: 6 });
    const later = times(3, () => limiter.acquire(connected()));
    expect(await later[2]).toBe('queue_full');
    expect(limiter.view()).toMatchObject({ running: 2, queued: 8 });
  });

  test('the wait before a retry follows the pace at which requests are served', async () => {
    let nowMs = 0;
    const limits = { ...LIMITS, maxQueued: 10, maxStalled: 10, maxWaitMs: 60_000 };
    const limiter = new ConcurrencyLimiter(limits, { nowMs: () => nowMs });
    const results = times(12, () => limiter.acquire(connected()));
    // Two are rejected for each that is served, and retry after 2 s: all are served in 4 s.
    for (const each of results.slice(0, 3)) {
      nowMs += 1_000;
      permitOf(await each).release();
      queuedOf(limiter, 4);
    }
    expect(limiter.retryAfterMs()).toBe(4_000);
    nowMs += 4_000;
    queuedOf(limiter, 40);
    expect(limiter.retryAfterMs()).toBe(10_000);
    limiter.rejectQueue('database_unavailable');
    queuedOf(limiter, 1);
    expect(limiter.retryAfterMs()).toBe(2_000);
  });

  test('a queued request is rejected after the maximum wait, and one whose client disconnects leaves the queue', async () => {
    const limiter = new ConcurrencyLimiter({ ...LIMITS, maxWaitMs: 20 });
    void times(2, () => limiter.acquire(connected()));
    const client = new AbortController();
    const queued = [limiter.acquire(connected()), limiter.acquire(client.signal)];
    client.abort();
    expect(await Promise.all(queued)).toEqual(['deadline', 'client_closed']);
    expect(await limiter.acquire(client.signal)).toBe('client_closed');
    expect(limiter.view()).toEqual({
      running: 2,
      queued: 0,
      rejected: {
        queue_full: 0,
        deadline: 1,
        client_closed: 2,
        database_unavailable: 0,
        stopping: 0,
      },
    });
  });

  test('rejecting the queue rejects those that wait and admits those that come later', async () => {
    const limiter = new ConcurrencyLimiter(LIMITS);
    const [first] = await Promise.all(times(2, () => limiter.acquire(connected())));
    const queued = times(3, () => limiter.acquire(connected()));
    limiter.rejectQueue('database_unavailable');
    permitOf(first).release();
    expect(await Promise.all(queued)).toEqual(times(3, () => 'database_unavailable'));
    permitOf(await limiter.acquire(connected()));
  });
});

/** How many requests the queue holds after `count` more have arrived. */
function queuedOf(limiter: ConcurrencyLimiter, count: number): number {
  void times(count, () => limiter.acquire(connected()));
  return limiter.view().queued;
}
