/**
 * Vitest's reporter of the fault matrix: prints what the run proved. A run of every test file fails
 * when a cell has no passed test; a run of some only says what ran.
 */
import type { Reporter, TestModule, TestSpecification, Vitest } from 'vitest/node';
import { judge, printed, type Proven } from './coverage.ts';

/** The name pattern of `npm run faults`: every cell, and nothing else. */
export const CELL_PATTERN = '\\[(?:[SCO]\\d|CB|infra|failpoint)/';

const FAILPOINTS: readonly string[] = [];

class CoverageReporter implements Reporter {
  private vitest: Vitest | null = null;
  private isFull = false;
  private startedAtMs = 0;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  async onTestRunStart(specifications: readonly TestSpecification[]): Promise<void> {
    this.startedAtMs = performance.now();
    const pattern = this.vitest?.config.testNamePattern?.source;
    const every = await this.vitest?.globTestSpecifications();
    const isEveryCell = pattern === undefined || pattern === new RegExp(CELL_PATTERN).source;
    this.isFull = isEveryCell && specifications.length === every?.length;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const proven = modules.flatMap(provenBy);
    if (proven.length === 0 && !this.isFull) return;
    const tookMs = performance.now() - this.startedAtMs;
    const coverage = judge(proven, FAILPOINTS);
    process.stdout.write(`\n${printed(coverage, { failpoints: FAILPOINTS, tookMs })}\n`);
    if (!this.isFull)
      process.stdout.write('(a run of some files: what did not run is not judged)\n');
    else if (coverage.missing.length > 0) process.exitCode = 1;
  }
}

function provenBy(module: TestModule): Proven[] {
  return [...module.children.allTests()].flatMap((test) => {
    const cells = test.meta().cells;
    const { state } = test.result();
    return cells && state !== 'skipped' ? [{ ...cells, passed: state === 'passed' }] : [];
  });
}

// oxlint-disable-next-line import/no-default-export -- Vitest loads a reporter by its default export
export default CoverageReporter;
