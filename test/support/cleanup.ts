/** What a test opened, to be closed at its end. */

export type OnClose = (close: () => Promise<unknown>) => void;

/** Closes what was opened, the last first, whatever one of them throws. */
export function createCleanup(): {
  readonly onClose: OnClose;
  readonly close: () => Promise<void>;
} {
  const opened: (() => Promise<unknown>)[] = [];
  return {
    onClose: (each) => void opened.push(each),
    async close() {
      const failures: unknown[] = [];
      for (const each of opened.splice(0).toReversed()) {
        await each().catch((error: unknown) => failures.push(error));
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
