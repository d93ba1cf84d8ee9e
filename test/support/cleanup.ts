/** What a test opened, to be undone at its end. */

export type OnClose = (undo: () => Promise<unknown>) => void;

/** Undoes what was opened, the last first, whatever one of them throws. */
export function createCleanup(): {
  readonly onClose: OnClose;
  readonly close: () => Promise<void>;
} {
  const undo: (() => Promise<unknown>)[] = [];
  return {
    onClose: (each) => void undo.push(each),
    async close() {
      const failures: unknown[] = [];
      for (const each of undo.splice(0).toReversed()) {
        await each().catch((error: unknown) => failures.push(error));
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
