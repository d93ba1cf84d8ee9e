/** Concurrent shoppers that retry as the API asks. */
import { scheduler } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Shop } from '../support/shop.ts';
import { times } from '../support/times.ts';

/** Runs `work` this many times concurrently. */
export function concurrently<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(times(count, (index) => work(index)));
}

/** Retries a 503, and a request in flight, under one key. */
export function withRetry(send: (key: string) => Promise<Response>): Promise<Response> {
  const key = crypto.randomUUID();
  return untilFinal(() => send(key));
}

/** Far longer than any of them waits. */
const PATIENCE_MS = 250_000;

/** Repeats a request until its response is final, each time after the `Retry-After` of the last. */
export async function untilFinal(send: () => Promise<Response>): Promise<Response> {
  const endsAtMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const response = await send();
    // An aborted request keeps its key for a moment.
    const isInFlight = (await response.clone().text()).includes('request_in_flight');
    if (response.status !== 503 && !isInFlight) return response;
    expect(hasRetryAfter(response), 'a response that may be retried has Retry-After').toBe(true);
    expect(performance.now(), 'waited too long').toBeLessThan(endsAtMs);
    await scheduler.wait(Number(response.headers.get('retry-after')) * 1_000);
  }
}

/** Says after how many seconds to retry. */
export function hasRetryAfter(response: Response): boolean {
  return /^[1-9]\d*$/.test(response.headers.get('retry-after') ?? '');
}

/** An order of a shopper that retries. */
export function placeWithRetry(shop: Shop, order: object): Promise<Response> {
  return withRetry((key) => shop.place(order, key));
}
