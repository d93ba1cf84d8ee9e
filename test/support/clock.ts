/** The clock, where a test is about what happens after a while and not about waiting for it. */
import { onTestFinished, vi } from 'vitest';

/** Moves the clock forward and stops it until the test ends. Timers keep running. */
export function advance(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
  onTestFinished(() => void vi.useRealTimers());
}
