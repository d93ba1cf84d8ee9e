/** Concurrent shoppers that retry as the API asks. */
import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';
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

/** Repeats a request until its response is final. Each 503 on the way must have a Retry-After. */
export async function untilFinal(send: () => Promise<Response>): Promise<Response> {
  const withoutRetryAfter: number[] = [];
  const final = await eventually(
    async () => {
      const response = await send();
      if (response.status === 503 && !hasRetryAfter(response)) withoutRetryAfter.push(503);
      expect(response.status).not.toBe(503);
      // An aborted request keeps its key for a moment.
      expect(await response.clone().text()).not.toContain('request_in_flight');
      return response;
    },
    { timeoutMs: 250_000, everyMs: 1_000 },
  );
  expect(withoutRetryAfter, 'responses without Retry-After').toEqual([]);
  return final;
}

/** Says after how many seconds to retry. */
export function hasRetryAfter(response: Response): boolean {
  return /^[1-9]\d*$/.test(response.headers.get('retry-after') ?? '');
}

/** An order of a shopper that retries. */
export function placeWithRetry(shop: Shop, order: object): Promise<Response> {
  return withRetry((key) => shop.place(order, key));
}
