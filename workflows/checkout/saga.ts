/**
 * The compensation stack. A compensation is registered before its step runs. They run in reverse order,
 * and one that fails does not keep the others from running. Call `compensate` in a
 * non-cancellable scope.
 */
import type { CompensationName } from '../../domain/checkout-steps.ts';

/** `too_late`: the effect can no longer be compensated, and the order goes forward instead. */
export type CompensationOutcome = 'compensated' | 'too_late';

export interface Compensation {
  readonly name: CompensationName;
  /** Must be safe when its step never ran, and safe to repeat. */
  run(): Promise<CompensationOutcome>;
}

export interface FailedCompensation {
  readonly compensation: Compensation;
  readonly error: unknown;
}

export type SagaOutcome =
  | { readonly kind: 'compensated'; readonly failed: readonly FailedCompensation[] }
  | { readonly kind: 'too_late' };

export interface Saga {
  /** Puts a compensation on top of the stack. Registered again, it moves to the top. */
  register(compensation: Compensation): void;
  /** Takes a compensation off the stack: it was done manually. */
  remove(name: string): void;
  /** The registered compensations, in the order they would run. */
  pending(): readonly CompensationName[];
  /**
   * Runs every compensation, newest first, and returns those that failed. Where something was compensated
   * before, the order cannot go forward any more: one that is too late has failed with `whenTooLate`.
   */
  compensate(whenTooLate: (() => Error) | null): Promise<SagaOutcome>;
}

export function createSaga(): Saga {
  const stack: Compensation[] = [];
  const remove = (name: string): void => {
    const at = stack.findIndex((each) => each.name === name);
    if (at >= 0) stack.splice(at, 1);
  };
  return {
    remove,
    register(compensation) {
      remove(compensation.name);
      stack.push(compensation);
    },
    pending: () => stack.toReversed().map(({ name }) => name),
    async compensate(whenTooLate) {
      const failed: FailedCompensation[] = [];
      for (const compensation of stack.toReversed()) {
        try {
          if ((await compensation.run()) !== 'too_late') continue;
          if (whenTooLate === null) return { kind: 'too_late' };
          failed.push({ compensation, error: whenTooLate() });
        } catch (error) {
          failed.push({ compensation, error });
        }
      }
      return { kind: 'compensated', failed };
    },
  };
}
