/** What a run proved of the fault matrix, and that as a table to read. Knows nothing of Vitest. */
import { cellId, FAULTS, INFRA, MATRIX, VOID, type CellId } from './table.ts';

/** One test that names cells. */
export interface Proven {
  readonly ids: readonly CellId[];
  readonly passed: boolean;
  readonly fired: number;
  /** Why it could not be run on this machine. */
  readonly notRun?: string | undefined;
}

export interface Coverage {
  /** Cells that can be run. */
  readonly all: number;
  readonly passed: number;
  readonly fired: number;
  /** Neither passed nor excused. */
  readonly missing: readonly CellId[];
  state(id: CellId): CellState;
  /** Why the cell was not run; null when it was, or when no test of it began. */
  notRunReason(id: CellId): string | null;
}

/** `none`: no test of it ran. */
export type CellState = 'ok' | 'FAIL' | 'none' | 'void' | 'not run';

/** A cell passes when every test of it passed and its fault fired. */
export function judge(proven: readonly Proven[], failpoints: readonly string[]): Coverage {
  const testsOf = (id: CellId) => proven.filter(({ ids: named }) => named.includes(id));
  const notRunReason = (id: CellId) => testsOf(id).find(({ notRun }) => notRun)?.notRun ?? null;
  const state = (id: CellId): CellState => {
    if (VOID[id] !== undefined) return 'void';
    if (notRunReason(id) !== null) return 'not run';
    const tests = testsOf(id);
    if (tests.length === 0) return 'none';
    return tests.every((each) => each.passed && each.fired > 0) ? 'ok' : 'FAIL';
  };
  const ids = allCells(failpoints).filter((id) => !['void', 'not run'].includes(state(id)));
  const missing = ids.filter((id) => state(id) !== 'ok');
  return {
    all: ids.length,
    passed: ids.length - missing.length,
    fired: proven.reduce((sum, each) => sum + each.fired, 0),
    missing,
    state,
    notRunReason,
  };
}

/** The matrix, then the infrastructure and the failpoints, then one line of counts. */
export function printed(
  coverage: Coverage,
  run: {
    readonly failpoints: readonly string[];
    readonly tookMs: number;
    /** Every cell was due: says which are missing. */
    readonly isFull: boolean;
  },
): string {
  const { all, passed, fired, missing, state, notRunReason } = coverage;
  const faults = Object.keys(FAULTS);
  const legend = Object.entries(FAULTS).map(([fault, means]) => `${fault} ${means}`);
  const head = `${'fault matrix'.padEnd(29)}${faults.map((fault) => fault.padEnd(6)).join('')}`;
  const matrix = Object.entries(MATRIX).map(([step, row]) => {
    const states = faults.map((fault) => short(state(cellId(`${step}/${fault}`))).padEnd(6));
    return `  ${step}  ${row.step.padEnd(23)}${states.join('')}`;
  });
  const infra = Object.keys(INFRA).map((name) => {
    const id = cellId(`infra/${name}`);
    const why = notRunReason(id);
    return `  ${name.padEnd(25)}${short(state(id))}${why === null ? '' : `: ${why}`}`;
  });
  const points = run.failpoints
    .map((name) => ({ name, reached: state(cellId(`failpoint/${name}`)) }))
    // There are many: a run of some files lists those it ran.
    .filter(({ reached }) => run.isFull || reached !== 'none')
    .map(({ name, reached }) => `  ${name.padEnd(40)}${short(reached)}`);
  const seconds = (run.tookMs / 1_000).toFixed(0);
  return [
    legend.join(', '),
    head,
    ...matrix,
    'infrastructure',
    ...infra,
    ...(points.length > 0 ? ['failpoints', ...points] : []),
    ...(run.isFull && missing.length > 0 ? [`without a passed test: ${missing.join(' ')}`] : []),
    `cells: ${passed} of ${all} passed, ${fired} faults fired, ${seconds} s`,
  ].join('\n');
}

function allCells(failpoints: readonly string[]): CellId[] {
  return [
    ...Object.keys(MATRIX).flatMap((step) =>
      Object.keys(FAULTS).map((fault) => `${step}/${fault}`),
    ),
    ...Object.keys(INFRA).map((name) => `infra/${name}`),
    ...failpoints.map((name) => `failpoint/${name}`),
  ].map(cellId);
}

function short(state: CellState): string {
  return state === 'none' ? '-' : state;
}
