/** The measurements as a table, on the terminal and in docs/growth.md between its markers. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { PROJECT } from '../../../local/stack/home.ts';

/** In ms. */
export interface Times {
  readonly p50: number;
  readonly p99: number;
}

/** With this many orders. */
export interface Measured {
  readonly orders: number;
  /** Every invariant once. */
  readonly auditMs: number;
  /** Invariants that took longer than a query may. */
  readonly unchecked: readonly string[];
  /** Null: it took too long. */
  readonly reads: Readonly<Record<string, Times | null>>;
}

const REPORT = join(PROJECT, 'docs', 'growth.md');
const TABLE = /(?<=<!-- bench:growth -->\n)[^]*(?=<!-- end of bench:growth -->)/;

/** A Markdown table: p50 / p99 of each read at each size, and the last as multiples of the first. */
export function tableOf(measured: readonly Measured[]): string {
  const [first] = measured;
  const last = measured.at(-1);
  if (!first || !last) return '';
  const sizes = measured.map(({ orders }) => `${orders.toLocaleString('en')} orders`);
  const rows = Object.keys(first.reads).map((name) => [
    name,
    ...measured.map(({ reads }) => shown(reads[name])),
    ratio(last.reads[name]?.p50, first.reads[name]?.p50),
    ratio(last.reads[name]?.p99, first.reads[name]?.p99),
  ]);
  const audit = [
    'every invariant, once',
    ...measured.map(({ auditMs, unchecked }) => {
      const ms = auditMs.toFixed(0);
      return unchecked.length === 0 ? ms : `${ms}, ${unchecked.length} not checked`;
    }),
    ratio(last.auditMs, first.auditMs),
    '',
  ];
  const head = ['p50 / p99 in ms', ...sizes, 'p50, last / first', 'p99, last / first'];
  return [head, head.map(() => '---'), ...rows, audit]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** Replaces the table in the report. Throws when it has no markers. */
export async function writeReport(measured: readonly Measured[]): Promise<void> {
  const text = await readFile(REPORT, 'utf8');
  if (!TABLE.test(text)) throw new Error(`${REPORT} has no markers for the table`);
  const written = text.replace(TABLE, () => `\n${tableOf(measured)}\n\n`);
  const style = await resolveConfig(REPORT);
  await writeFile(REPORT, await format(written, { ...style, parser: 'markdown' }));
}

function shown(times: Times | null | undefined): string {
  return times ? `${times.p50.toFixed(1)} / ${times.p99.toFixed(1)}` : 'too long';
}

function ratio(last: number | undefined, first: number | undefined): string {
  return last === undefined || first === undefined ? '' : (last / first).toFixed(1);
}
