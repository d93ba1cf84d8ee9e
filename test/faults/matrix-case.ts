/**
 * Tests of the fault matrix. A title begins with the cells it proves: `[S2/F1] an order ...`. A test
 * that takes a `proof` fails when its fault never fired, because then it proves nothing.
 */
import { expect, test as base } from 'vitest';
import type { Faults } from '../../local/sandbox/faults.ts';
import { parseCellIds, type CellId } from './table.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** Read by the run's report. */
    cells?: {
      readonly ids: readonly CellId[];
      readonly fired: number;
      /** Why this machine cannot run it. */
      readonly notRun?: string;
    };
  }
}

export interface Proof {
  /** Adds how often the fault fired, as counted by a provider, a proxy or the database. */
  fired(count: number): void;
  /** The same for the faults armed in the sandbox. Throws when one of them never fired. */
  firedAll(faults: Faults): void;
  /** Ends the test without a verdict; the run's report says why. */
  cannotRun(reason: string): never;
}

const provable = base.extend('proof', ({ task, skip }, { onCleanup }): Proof => {
  const ids = parseCellIds(task.name);
  let total = 0;
  let notRun: string | undefined;
  task.meta.cells = { ids, fired: 0 };
  onCleanup(() => {
    task.meta.cells = { ids, fired: total, ...(notRun !== undefined && { notRun }) };
    if (notRun !== undefined || task.result?.state === 'fail') return;
    expectFired(total, 'the fault');
  });
  return {
    fired: (count) => void (total += count),
    firedAll(faults) {
      for (const { provider, operation, fired } of faults.list()) {
        expectFired(fired, `${provider} ${operation}`);
        total += fired;
      }
    },
    cannotRun(reason) {
      notRun = reason;
      return skip(reason);
    },
  };
});

type Plain = () => Promise<void>;
type Proving = (proof: Proof) => Promise<void>;

/** A test; it must prove something when it takes a proof. */
export function test(title: string, run: Plain | Proving): void {
  if (isPlain(run)) provable(title, run);
  else provable(title, ({ proof }) => run(proof));
}

function isPlain(run: Plain | Proving): run is Plain {
  return run.length === 0;
}

function expectFired(count: number, fault: string): void {
  expect(count, `how often ${fault} fired`).toBeGreaterThan(0);
}
