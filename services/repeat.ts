/** Background work that runs again and again. */
import { setTimeout } from 'node:timers/promises';

/**
 * Runs `work` now, and again `everyMs` after the end of each run, until it returns `done` or `stop` is
 * called, which waits for the current run. `work` must not throw.
 */
export function repeat(
  everyMs: number,
  work: () => Promise<'done' | 'again'>,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  async function run(): Promise<void> {
    while (!signal.aborted && (await work()) === 'again') {
      await setTimeout(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
