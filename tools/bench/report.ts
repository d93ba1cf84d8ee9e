/** The result of `npm run bench:peers` as tables, on the terminal and in docs/performance.md. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../../local/stack/commands.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { percentile } from './load.ts';
import { cpuOf } from './measure.ts';

const DOCUMENT = join(PROJECT, 'docs', 'performance.md');
/** What the command wrote, with its digest: a number that is edited manually no longer matches. */
const BLOCK = /<!-- bench:peers ?([0-9a-f]*) -->\n([\s\S]*?)<!-- \/bench:peers -->/;

/** More is another program that disturbs the measurement. */
const QUIET_CORES = 0.25;

const row = z.object({
  orders: z.number(),
  perSecond: z.number(),
  answerMs: z.object({ p50: z.number(), p99: z.number() }),
  cpuMs: z.record(z.string(), z.number()),
  statements: z.number(),
  walBytes: z.number(),
  temporalCalls: z.number().nullable(),
  historyEvents: z.number().nullable(),
  residentMb: z.record(z.string(), z.number()),
  otherCores: z.number(),
});
const visit = z.union([
  z.object({ name: z.string(), open: row, closed: row }),
  z.object({ name: z.string(), failure: z.string() }),
]);
export const resultSchema = z.object({ machine: z.string(), visits: z.array(visit) });

export type Result = z.infer<typeof resultSchema>;
/** One contender in one round. */
export type Visit = z.infer<typeof visit>;
type Row = z.infer<typeof row>;
type Measured = Extract<Visit, { open: unknown }>;

/** A column: its title, the load, its value in one round, and how many digits it shows. */
type Column = readonly [string, 'open' | 'closed', (row: Row) => number | null, number];

const SPEED: readonly [Column, ...Column[]] = [
  ['orders/s to rest', 'closed', ({ perSecond }) => perSecond, 1],
  ['p50 at 10/s', 'open', ({ answerMs }) => answerMs.p50, 0],
  ['p99 at 10/s', 'open', ({ answerMs }) => answerMs.p99, 0],
  ['p50, 32 customers', 'closed', ({ answerMs }) => answerMs.p50, 0],
  ['p99, 32 customers', 'closed', ({ answerMs }) => answerMs.p99, 0],
];
const COST: readonly Column[] = [
  ['CPU ms', 'closed', cpuOf, 1],
  ['app', 'closed', ({ cpuMs }) => cpuMs['app'] ?? 0, 1],
  ['engine', 'closed', engineMs, 1],
  ['PostgreSQL', 'closed', ({ cpuMs }) => cpuMs['postgres'] ?? 0, 1],
  ['sandbox', 'closed', ({ cpuMs }) => cpuMs['sandbox'] ?? 0, 1],
  ['SQL statements', 'closed', ({ statements }) => statements, 1],
  ['WAL KiB', 'closed', ({ walBytes }) => walBytes / 1_024, 1],
  ['history events', 'closed', ({ historyEvents }) => historyEvents, 1],
  ['calls to Temporal', 'closed', ({ temporalCalls }) => temporalCalls, 1],
  ['others, cores', 'closed', ({ otherCores }) => otherCores, 2],
];

/** Null without a server: the app's children, then only tsx's compiler, take less than that. */
function engineMs({ cpuMs: { temporal = 0 } }: Row): number | null {
  return temporal < 0.5 ? null : temporal;
}

/** Machine, medians of the rounds, and the ratio of the first's orders/s to each contender's. */
export function renderReport({ machine, visits }: Result): string {
  const names = [...new Set(visits.map(({ name }) => name))];
  const medianOf = (name: string, [, load, of]: Column): number | null => {
    const own = visits.filter((each): each is Measured => each.name === name && 'open' in each);
    return median(quiet(own.map((each) => each[load])).map(of));
  };
  const cellsOf = (name: string, columns: readonly Column[]): string[] =>
    columns.map((column) => medianOf(name, column)?.toFixed(column[3]) ?? '');
  const ratioOf = (name: string): string => {
    const [own, first] = [name, names[0] ?? ''].map((each) => medianOf(each, SPEED[0]));
    return own && first ? (first / own).toFixed(2) : '';
  };
  const titles = (columns: readonly Column[]): string[] => columns.map(([title]) => title);
  const speed = names.map((name) => [name, ratioOf(name), ...cellsOf(name, SPEED)]);
  const cost = names.map((name) => [name, ...cellsOf(name, COST)]);
  const failures = visits.flatMap((each) =>
    'failure' in each ? [`- ${each.name} failed in one round: \`${each.failure}\``] : [],
  );
  const rounds = Math.max(...names.map((name) => visits.filter((v) => v.name === name).length));
  return [
    `Medians of ${rounds} interleaved rounds. Those count in which other programs used at most ${QUIET_CORES} cores; where there was none, the quietest. ${machine}`,
    table([['', `${names[0]} / it`, ...titles(SPEED)], ...speed]),
    'Per order, with 32 customers:',
    table([['', ...titles(COST)], ...cost]),
    ...(failures.length === 0 ? [] : [failures.join('\n')]),
  ].join('\n\n');
}

/** The rows of a machine that had little else to do; else the one with the least. */
function quiet(rows: readonly Row[]): readonly Row[] {
  const undisturbed = rows.filter(({ otherCores }) => otherCores <= QUIET_CORES);
  if (undisturbed.length > 0) return undisturbed;
  return rows.toSorted((a, b) => a.otherCores - b.otherCores).slice(0, 1);
}

/** Replaces what stands between the markers in docs/performance.md. */
export async function writeReport(result: Result): Promise<void> {
  const text = `\n${renderReport(result)}\n\n`;
  const block = `<!-- bench:peers ${digestOf(text)} -->\n${text}<!-- /bench:peers -->`;
  const document = await readFile(DOCUMENT, 'utf8');
  if (!BLOCK.test(document)) throw new Error(`${DOCUMENT} has no markers`);
  await writeFile(
    DOCUMENT,
    document.replace(BLOCK, () => block),
  );
}

/** True when the document's tables are as the command wrote them. */
export function isAsWritten(document: string): boolean {
  const [, digest, text = ''] = BLOCK.exec(document) ?? [];
  return digest === digestOf(text);
}

/** The processor, the versions and the commit that were measured. */
export async function describeMachine(): Promise<string> {
  const git = { file: 'git', args: ['rev-parse', '--short', 'HEAD'], cwd: PROJECT };
  const commit = (await run(git, { timeoutMs: 10_000 })).trim();
  const memory = Math.round(totalmem() / 2 ** 30);
  const cores = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown processor'}`;
  const date = new Date().toISOString().slice(0, 10);
  return `${cores}, ${memory} GiB, Linux ${release()}, Node ${process.versions.node}; commit ${commit}, ${date}.`;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Null without values. */
function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : percentile(known, 0.5);
}

/** Aligned as Prettier aligns it: the first column to the left, numbers to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => pad(cells[column] ?? '', width, column)).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  const [head = [], ...body] = rows;
  return [head, rule, ...body].map(line).join('\n');
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
