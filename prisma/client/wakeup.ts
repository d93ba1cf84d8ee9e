/** Something to wait for with a time limit. Rung before anybody waits, it is heard at once. */

export interface Wakeup {
  ring(): void;
  /** True when it rang since the last time; false when the time was up first. One waiter at a time. */
  waitUntil(ms: number): Promise<boolean>;
}

export function createWakeup(): Wakeup {
  let rung = false;
  let wake = (): void => undefined;
  return {
    ring() {
      rung = true;
      wake();
    },
    async waitUntil(ms) {
      if (!rung) {
        const { promise, resolve } = promiseOfVoid();
        const timer = setTimeout(resolve, ms);
        wake = resolve;
        await promise;
        clearTimeout(timer);
      }
      const heard = rung;
      rung = false;
      return heard;
    },
  };
}

function promiseOfVoid(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
