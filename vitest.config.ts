import { defineConfig } from 'vitest/config';
import { BaseSequencer, type InlineConfig, type TestSpecification } from 'vitest/node';

/**
 * What `npm run test:full` adds to `npm test`: whatever kills processes, waits out outages or sends
 * crowds. The fault matrix is here as a whole, so that one run can say whether a cell is missing.
 */
const FULL = [
  'faults',
  'recovery',
  'e2e',
  'concurrency',
  'properties',
  'install',
  'openapi',
  'growth',
  'monitoring',
  'chaos',
  'browser',
].map((folder) => `test/${folder}/**/*.test.ts`);
/** Longest first: of half a minute and more, and in `npm test` of ten seconds. */
const LONGEST = [
  'test/faults/kills/failpoints.test.ts',
  'test/install/install.test.ts',
  'test/monitoring/running-stack.test.ts',
  'test/faults/kills/servers.test.ts',
  'test/faults/steps.test.ts',
  'test/faults/kills/workers.test.ts',
  'test/faults/kills/cancellations.test.ts',
  'test/recovery/temporal-outage.test.ts',
  'test/faults/kills/network.test.ts',
  'test/browser/operations.test.ts',
  'test/faults/needs-attention.test.ts',
  'test/browser/console.test.ts',
  'test/workflows/needs-attention.test.ts',
  'test/samples.test.ts',
  'test/workflows/refund.test.ts',
  'test/main.test.ts',
  'test/workflows/cancel.test.ts',
  'test/events/subscription.test.ts',
  'test/local/keys.test.ts',
];

/**
 * Those that take longest come first, so that all processes end together. A new clone has no durations of
 * its own; Vitest would begin with the largest files.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return at === -1 ? LONGEST.length : at;
    };
    // The order of the others stays: the sort is stable.
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}

const COMMON = {
  pool: 'forks',
  // The files of one process share its modules; their servers, databases and namespaces are their own.
  isolate: false,
  // One more than the two cores that the limits of time are for: a quarter of the time a file only waits.
  maxWorkers: 3,
  setupFiles: ['test/support/setup.ts'],
  // For what hangs; a busy machine is never taken for one. Few tests need longer, and say so.
  testTimeout: 180_000,
  hookTimeout: 180_000,
  teardownTimeout: 30_000,
  env: { NODE_ENV: 'test' },
} satisfies InlineConfig;

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    sequence: { sequencer: LongestFirst },
    reporters: [
      'default',
      './test/faults/coverage-reporter.ts',
      './test/support/server-log-reporter.ts',
    ],
    projects: [
      { test: { ...COMMON, name: 'quick', include: ['test/**/*.test.ts'], exclude: FULL } },
      {
        test: {
          ...COMMON,
          name: 'full',
          include: FULL,
          exclude: ['test/chaos/**'],
          // For what hangs, as above: these wait for outages, restarts and crowds.
          testTimeout: 420_000,
        },
      },
      {
        // Needs both cores for itself, so it runs when the others are done.
        test: {
          ...COMMON,
          name: 'chaos',
          include: ['test/chaos/*.test.ts'],
          sequence: { groupOrder: 1 },
        },
      },
      {
        // The workflows once more, otherwise: every step an ordinary activity from the start, and every
        // task replayed from the start, so that nondeterminism cannot hide. Steps that fail are of both
        // kinds in test/faults/steps.test.ts. Tasks of steps that are not inspectable are replayed
        // where a worker is killed (test/faults/kills/) and from histories (test/replay/).
        test: {
          ...COMMON,
          name: 'inspectable',
          include: ['test/workflows/**/*.test.ts'],
          // Of inputs, schemas and texts alone: the same however a step runs.
          exclude: ['card', 'hands', 'limits', 'schema'].map(
            (name) => `test/workflows/${name}.test.ts`,
          ),
          provide: { inspectable: true, maxCachedWorkflows: 0 },
          testTimeout: 420_000,
        },
      },
    ],
  },
});
