/** The clock, where a test is about what happens after a while and not about waiting for it. */
import { onTestFinished, vi } from 'vitest';

/** From now until the test ends it is so much later, and stands still. Timers run on as they do. */
export function advance(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
  onTestFinished(() => void vi.useRealTimers());
}
