/** Work that is done once at its due time, a limited number at once. Durability is the caller's. */

export interface DelayedQueue {
  /** Does the work of `id` at `dueAtMs` (real time), or as soon after as the limit allows. */
  add(id: string, dueAtMs: number): void;
  /** Drops what has not begun, aborts what is running, waits for it. */
  close(): Promise<void>;
}

export interface DelayedQueueOptions {
  readonly maxParallel: number;
  /** Must not reject: only the caller knows what a failure means. */
  readonly work: (id: string, stop: AbortSignal) => Promise<void>;
}

export function createDelayedQueue({ maxParallel, work }: DelayedQueueOptions): DelayedQueue {
  const timers = new Set<NodeJS.Timeout>();
  const ready: string[] = [];
  const running = new Set<Promise<void>>();
  const stop = new AbortController();

  function runReady(): void {
    while (running.size < maxParallel && !stop.signal.aborted) {
      const id = ready.shift();
      if (id === undefined) return;
      const task = work(id, stop.signal).finally(() => {
        running.delete(task);
        runReady();
      });
      running.add(task);
    }
  }

  return {
    add: (id, dueAtMs) => {
      if (stop.signal.aborted) return;
      const delayMs = Math.max(0, dueAtMs - Date.now());
      const timer = setTimeout(() => {
        timers.delete(timer);
        ready.push(id);
        runReady();
      }, delayMs);
      timers.add(timer);
    },
    close: async () => {
      stop.abort();
      for (const timer of timers) clearTimeout(timer);
      await Promise.allSettled(running);
    },
  };
}
