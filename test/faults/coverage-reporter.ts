/**
 * Vitest's reporter of the fault matrix: prints what the run proved. A run of the whole project `full`
 * fails when a cell has no passed test; a run of some files only says what ran.
 */
import type { Reporter, TestModule, TestSpecification, Vitest } from 'vitest/node';
import { FAILPOINTS } from '../../tools/failpoints/failpoints.ts';
import { judge, printed, type Proven } from './coverage.ts';

/** The name pattern of `npm run faults`: every cell, and nothing else. */
export const CELL_PATTERN = '\\[(?:[SCO]\\d|CB|infra|failpoint)/';

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
    const every = (await this.vitest?.globTestSpecifications())?.filter(isOfMatrix) ?? [];
    const isEveryCell = pattern === undefined || pattern === new RegExp(CELL_PATTERN).source;
    const chosen = specifications.filter(isOfMatrix);
    this.isFull = isEveryCell && chosen.length > 0 && chosen.length === every.length;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const proven = modules.flatMap(provenBy);
    if (proven.length === 0 && !this.isFull) return;
    const tookMs = performance.now() - this.startedAtMs;
    const coverage = judge(proven, FAILPOINTS);
    const run = { failpoints: FAILPOINTS, tookMs, isFull: this.isFull };
    process.stdout.write(`\n${printed(coverage, run)}\n`);
    if (this.isFull && coverage.missing.length > 0) process.exitCode = 1;
  }
}

/** Every cell is proven by a file of that project. */
function isOfMatrix({ project }: TestSpecification): boolean {
  return project.name === 'full';
}

function provenBy(module: TestModule): Proven[] {
  return [...module.children.allTests()].flatMap((test) => {
    const cells = test.meta().cells;
    const { state } = test.result();
    // One that was skipped by a name pattern has said nothing.
    if (!cells || (state === 'skipped' && cells.notRun === undefined)) return [];
    return [{ ...cells, passed: state === 'passed' }];
  });
}

// oxlint-disable-next-line import/no-default-export -- Vitest loads a reporter by its default export
export default CoverageReporter;
