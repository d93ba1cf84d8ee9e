/**
 * The compensation stack. An undo is registered before its do, runs in reverse order, and a failed
 * one never keeps the others from running (G5). Callers run `unwind` in a non-cancellable scope.
 */

/** `too_late`: the effect cannot be undone any more and the saga must go forward instead. */
export type Undone = 'undone' | 'too_late';

export interface Undo {
  readonly name: string;
  /** Must be safe if its do never ran, and safe twice. */
  run(): Promise<Undone>;
}

export interface FailedUndo {
  readonly undo: Undo;
  readonly error: unknown;
}

export type Unwound =
  | { readonly kind: 'unwound'; readonly failed: readonly FailedUndo[] }
  | { readonly kind: 'too_late' };

export interface Saga {
  /** Puts an undo on top of the stack. Registered again, it moves to the top. */
  register(undo: Undo): void;
  /** Takes an undo off the stack: a person settled it by hand. */
  forget(name: string): void;
  /** What `unwind` would run, in that order. */
  names(): readonly string[];
  /** Runs every undo, newest first, and tells which failed. */
  unwind(): Promise<Unwound>;
}

export function createSaga(): Saga {
  const stack = new Map<string, Undo>();
  const newestFirst = () => [...stack.values()].reverse();
  return {
    register(undo) {
      stack.delete(undo.name);
      stack.set(undo.name, undo);
    },
    forget: (name) => void stack.delete(name),
    names: () => newestFirst().map((undo) => undo.name),
    async unwind() {
      const failed: FailedUndo[] = [];
      for (const undo of newestFirst()) {
        try {
          if ((await undo.run()) === 'too_late') return { kind: 'too_late' };
        } catch (error) {
          failed.push({ undo, error });
        }
      }
      return { kind: 'unwound', failed };
    },
  };
}
