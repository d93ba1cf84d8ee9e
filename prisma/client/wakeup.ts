/** A signal to wait for with a timeout. A signal before the wait ends the wait at once. */

export interface Wakeup {
  signal(): void;
  /** True when signaled since the last wait; false after the timeout. One waiter at a time. */
  waitUntil(ms: number): Promise<boolean>;
}

export function createWakeup(): Wakeup {
  let signaled = false;
  let wake = (): void => undefined;
  return {
    signal() {
      signaled = true;
      wake();
    },
    async waitUntil(ms) {
      if (!signaled) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      const wasSignaled = signaled;
      signaled = false;
      return wasSignaled;
    },
  };
}
