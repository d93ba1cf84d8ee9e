/** What a run prints at its end: figures first, then what should not be, then how to repeat it. */
import { commandOf } from './options.ts';
import type { ChaosOptions } from './options.ts';
import { LEAST_SUCCESS_SHARE, percent } from './evaluate.ts';
import type { Thresholds, Facts, Verdict } from './evaluate.ts';

export interface Report {
  readonly options: ChaosOptions;
  readonly thresholds: Thresholds;
  readonly facts: Facts;
  readonly verdict: Verdict;
  /** Every answer the shoppers got, by status and code. */
  readonly answers: ReadonlyMap<string, number>;
  readonly tookMs: number;
}

const MOST_LINES = 40;
const NAME_WIDTH = 28;

/** The report as lines for a terminal. */
export function describe(report: Report): readonly string[] {
  const { options, thresholds, facts, verdict, answers, tookMs } = report;
  const fates = countBy(facts.purchases, ({ orderId, outcome, code }) => {
    const status = facts.records.orders.find(({ id }) => id === orderId)?.status;
    return status ?? (outcome === 'refused' ? `refused: ${code}` : outcome.replace('_', ' '));
  });
  const asked = facts.purchases.filter(({ plan }) => plan.shouldSucceed).length;
  return [
    ...section('Faults that fired', [...facts.fired].map(count)),
    ...section('Kills', killLines(report)),
    ...section('Orders by fate', [...fates].map(count)),
    ...section(
      'Answers to the shoppers',
      [...answers].sort(([a], [b]) => a.localeCompare(b)).map(count),
    ),
    ...section('Verdict', [
      row('orders', String(facts.purchases.length)),
      row(
        'shipped of those that could',
        `${percent(verdict.successShare)} of ${asked} (at least ${percent(LEAST_SUCCESS_SHARE)})`,
      ),
      row('lost acknowledgements', String(verdict.lostAcknowledgements)),
      row('at rest after healing', restLine(facts.settledAfterMs, thresholds.settleWithinMs)),
      row('subscriptions caught up', restLine(facts.caughtUpAfterMs, thresholds.settleWithinMs)),
      ...receiptLines(facts),
      row(
        'audit rows',
        `${facts.auditDuring.length + facts.auditAfter.length} (${facts.auditRounds} checks while harmed)`,
      ),
      row('waiting for a person', String(verdict.attention.length)),
      row('took', `${seconds(tookMs)} s`),
    ]),
    ...section('Waiting for a person', verdict.attention.slice(0, MOST_LINES)),
    ...section('Should not be', shortened(verdict.violations)),
    '',
    verdict.violations.length === 0
      ? `Chaos survived, seed ${options.seed}.`
      : `Chaos found ${verdict.violations.length} things that should not be, seed ${options.seed}.`,
    `Repeat it with: ${commandOf(options)}`,
  ];
}

function killLines({ facts, thresholds }: Report): string[] {
  return thresholds.targets.map((target) => {
    const kills = facts.kills.filter((kill) => kill.target === target);
    const back = worst(kills.map(({ backAfterMs }) => backAfterMs));
    const ready = worst(kills.map(({ apiReadyAfterMs }) => apiReadyAfterMs));
    return row(target, `${kills.length}, worst: back ${back}, API ready again ${ready}`);
  });
}

function worst(times: readonly (number | null)[]): string {
  if (times.length === 0) return '-';
  return times.includes(null) ? 'never' : `${seconds(Math.max(...times.map(Number)))} s`;
}

function restLine(settledAfterMs: number | null, withinMs: number): string {
  const limit = `(within ${seconds(withinMs)} s)`;
  return settledAfterMs === null ? `no ${limit}` : `${seconds(settledAfterMs)} s ${limit}`;
}

function receiptLines({ receipts }: Facts): string[] {
  if (receipts === null) return [];
  const { allAfterMs, events, twice, failed, wrong } = receipts;
  const all = allAfterMs === null ? 'NOT ALL' : `all after ${seconds(allAfterMs)} s`;
  const seen = `${events} events, ${all}; ${twice} more than once, ${failed} failed`;
  return [row('webhooks received', `${seen}, ${wrong.length} wrong`)];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}

function shortened(lines: readonly string[]): readonly string[] {
  if (lines.length <= MOST_LINES) return lines;
  return [...lines.slice(0, MOST_LINES), `and ${lines.length - MOST_LINES} more`];
}

function count([name, times]: readonly [string, number]): string {
  return row(name, String(times));
}

function row(name: string, value: string): string {
  return `${name.padEnd(NAME_WIDTH)} ${value}`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

function countBy<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
  return counts;
}
