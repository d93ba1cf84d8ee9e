/**
 * The order of the test files: those that take longest come first, so that both processes end together.
 * A new clone has no durations of its own; Vitest would begin with the largest files.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Longest first: of half a minute and more, and in `npm test` of ten seconds. */
const LONGEST = [
  'test/faults/kills/commits.test.ts',
  'test/install/install.test.ts',
  'test/faults/kills/servers.test.ts',
  'test/faults/kills/calls.test.ts',
  'test/faults/steps.test.ts',
  'test/faults/kills/workers.test.ts',
  'test/faults/kills/cancellations.test.ts',
  'test/recovery/temporal-outage.test.ts',
  'test/monitoring/running-stack.test.ts',
  'test/faults/kills/network.test.ts',
  'test/browser/operations.test.ts',
  'test/faults/needs-attention.test.ts',
  'test/browser/console.test.ts',
  'test/main.test.ts',
  'test/local/keys.test.ts',
  'test/samples.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return at === -1 ? LONGEST.length : at;
    };
    // The order of the others stays: the sort is stable.
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}
