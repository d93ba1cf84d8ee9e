import { defineConfig } from 'vitest/config';
import type { InlineConfig } from 'vitest/node';
import { LongestFirst } from './test/support/longest-first.ts';

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
const COMMON = {
  pool: 'forks',
  // The files of one process share its modules; their servers, databases and namespaces are their own.
  isolate: false,
  maxWorkers: 2,
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
        // The workflows once more, every task replayed from the start: nondeterminism cannot hide.
        test: {
          ...COMMON,
          name: 'replayed',
          include: ['test/workflows/**/*.test.ts'],
          provide: { maxCachedWorkflows: 0 },
        },
      },
      {
        // The workflows once more, every step an ordinary activity from the start. Steps that fail are
        // of both kinds in test/faults/steps.test.ts.
        test: {
          ...COMMON,
          name: 'inspectable',
          include: ['test/workflows/**/*.test.ts'],
          // Of inputs, schemas and texts alone: the same however a step runs.
          exclude: ['card', 'hands', 'limits', 'schema'].map(
            (name) => `test/workflows/${name}.test.ts`,
          ),
          provide: { inspectable: true },
          testTimeout: 420_000,
        },
      },
    ],
  },
});
