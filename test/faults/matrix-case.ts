/**
 * One cell of the fault matrix as a test, named by its id. A cell whose fault never struck proves
 * nothing, so it fails.
 */
import { expect, test } from 'vitest';
import type { Faults } from '../../local/sandbox/faults.ts';
import { expectationOf, type CellId } from './table.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** Read by the run's report. */
    cells?: {
      readonly ids: readonly CellId[];
      readonly fired: number;
      /** Why this machine cannot show it. */
      readonly notRun?: string;
    };
  }
}

export interface Proof {
  /** Says how often the fault struck, from whoever counted it: a provider, a proxy, the database. */
  fired(count: number): void;
  /** The same for the faults armed in the sandbox. Throws when one of them never struck. */
  firedAll(faults: Faults): void;
  /** Ends the test without a verdict; the run's report says why. */
  cannotRun(reason: string): never;
}

/** A test of one cell, or of several at once. `timeoutMs` as in Vitest. */
export function cell(
  id: CellId | readonly CellId[],
  title: string,
  ...[prove, timeoutMs]: readonly [(proof: Proof) => Promise<void>, timeoutMs?: number]
): void {
  const ids = typeof id === 'string' ? [id] : id;
  for (const each of ids) expectationOf(each);
  const named = ids.map((each) => `[${each}]`).join(' ');
  test(
    `${named} ${title}`,
    async ({ task, skip }) => {
      let struck = 0;
      task.meta.cells = { ids, fired: struck };
      await prove({
        fired: (count) => void (struck += count),
        firedAll: (faults) => {
          for (const { provider, operation, fired } of faults.list()) {
            expect(fired, `${provider} ${operation} was never struck`).toBeGreaterThan(0);
            struck += fired;
          }
        },
        cannotRun: (notRun) => {
          task.meta.cells = { ids, fired: 0, notRun };
          return skip(notRun);
        },
      });
      task.meta.cells = { ids, fired: struck };
      expect(struck, 'the fault never struck, so this proves nothing').toBeGreaterThan(0);
    },
    timeoutMs,
  );
}
