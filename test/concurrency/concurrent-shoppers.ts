/** Concurrent shoppers that retry as the API asks. */
import type { Shop } from '../support/shop.ts';
import { times } from '../support/times.ts';
import { untilFinal } from '../support/until-final.ts';

/** Runs `work` this many times concurrently. */
export function concurrently<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(times(count, (index) => work(index)));
}

/** Retries a 503, and a request in flight, under one key. */
export function withRetry(send: (key: string) => Promise<Response>): Promise<Response> {
  const key = crypto.randomUUID();
  return untilFinal(() => send(key));
}

/** An order of a shopper that retries. */
export function placeWithRetry(shop: Shop, order: object): Promise<Response> {
  return withRetry((key) => shop.place(order, key));
}
