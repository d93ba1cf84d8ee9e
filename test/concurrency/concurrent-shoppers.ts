/** Many at once: patient clients, crowds, random orders of things, and what must be true afterwards. */
import { randomInt } from 'node:crypto';
import { expect } from 'vitest';
import { createRandom } from '../../tools/random.ts';
import { eventually } from '../support/eventually.ts';
import type { Shop } from '../support/shop.ts';

/** Runs `work` so many times at once. */
export function concurrently<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)));
}

/** What a client does: a 503 with Retry-After, or a try under way, is tried again under the same key. */
export function withRetry(ask: (key: string) => Promise<Response>): Promise<Response> {
  const key = crypto.randomUUID();
  return untilFinal(() => ask(key));
}

/** Asks until the answer is not one to come back for; those have to say when, each of them. */
export async function untilFinal(ask: () => Promise<Response>): Promise<Response> {
  const unsaid: number[] = [];
  const last = await eventually(
    async () => {
      const answer = await ask();
      if (answer.status === 503 && !hasRetryAfter(answer)) unsaid.push(answer.status);
      expect(answer.status).not.toBe(503);
      // A try that was cut off keeps its key for a moment.
      expect(await answer.clone().text()).not.toContain('request_in_flight');
      return answer;
    },
    { timeoutMs: 250_000, everyMs: 500 },
  );
  expect(unsaid, 'a 503 that does not say when to come back').toEqual([]);
  return last;
}

/** Says after how many seconds to come back. */
export function hasRetryAfter(answer: Response): boolean {
  return /^[1-9]\d*$/.test(answer.headers.get('retry-after') ?? '');
}

/** A patient shopper's order. */
export function placeWithRetry(order: () => object, shop: Shop): Promise<Response> {
  return withRetry((key) => shop.place(order(), key));
}

/** Random orders of things. A failing test names the seed; given here it repeats them. */
export function shuffled(given: number = randomInt(2 ** 31)): {
  readonly seed: string;
  readonly shuffle: <T>(things: readonly T[]) => readonly T[];
} {
  return { seed: `seed ${given}`, shuffle: createRandom(given, 'crowd').shuffled };
}
