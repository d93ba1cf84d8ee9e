/** Waits for what a demo expects to happen. */
import { setTimeout as delay } from 'node:timers/promises';

export const POLL_MS = 50;

/** The first value that is final, or the last one read when the time is up. */
export async function pollUntil<T>(
  read: () => Promise<T>,
  isFinal: (value: T) => boolean,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (isFinal(value) || performance.now() > deadline) return value;
    await delay(POLL_MS, undefined, { signal });
  }
}
