/** A client that retries as the response says. */
import { scheduler } from 'node:timers/promises';
import { expect } from 'vitest';

/** Far longer than any of these requests waits. */
const TIMEOUT_MS = 250_000;

/** Repeats a request until its response is final, each time after the `Retry-After` of the last. */
export async function untilFinal(send: () => Promise<Response>): Promise<Response> {
  const endsAtMs = performance.now() + TIMEOUT_MS;
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
