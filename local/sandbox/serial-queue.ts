/** Work that is due at a time, done once each, only so much at once. Keeps nothing: owners do. */

export interface SerialQueue {
  /** Does the work of `id` at `dueAtMs` (real time), or as soon after as there is room. */
  add(id: string, dueAtMs: number): void;
  /** Drops what is not begun, tells what is to stop, waits for it. */
  close(): Promise<void>;
}

export interface SerialQueueOptions {
  readonly maxParallel: number;
  /** Must not reject: whoever owns the work knows what a failure means. */
  readonly work: (id: string, stop: AbortSignal) => Promise<void>;
}

export function createSerialQueue(options: SerialQueueOptions): SerialQueue {
  const timers = new Set<NodeJS.Timeout>();
  const ready: string[] = [];
  const running = new Set<Promise<void>>();
  const stop = new AbortController();

  function pump(): void {
    while (running.size < options.maxParallel && !stop.signal.aborted) {
      const id = ready.shift();
      if (id === undefined) return;
      const work = options.work(id, stop.signal).finally(() => {
        running.delete(work);
        pump();
      });
      running.add(work);
    }
  }

  return {
    add: (id, dueAtMs) => {
      if (stop.signal.aborted) return;
      const timer = setTimeout(
        () => {
          timers.delete(timer);
          ready.push(id);
          pump();
        },
        Math.max(0, dueAtMs - Date.now()),
      );
      timers.add(timer);
    },
    close: async () => {
      stop.abort();
      for (const timer of timers) clearTimeout(timer);
      await Promise.allSettled(running);
    },
  };
}
