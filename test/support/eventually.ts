/** Waiting in tests: for a state, bounded, never for a fixed time. */
import { scheduler } from 'node:timers/promises';

export interface EventuallyOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/** Also where workflow tasks were lost, on a busy machine: each is run again after ten seconds. */
const TIMEOUT_MS = 45_000;
const EVERY_MS = 20;

/**
 * Runs `check` again and again until it does not throw, and gives what it returns. When the time is
 * up it throws the last error of `check`, so that the test says what was missing.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<T> {
  const { timeoutMs = TIMEOUT_MS, everyMs = EVERY_MS } = options;
  const endsAtMs = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() >= endsAtMs) throw error;
    }
    await scheduler.wait(everyMs);
  }
}
