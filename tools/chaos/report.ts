/** What a run prints at its end: figures, then violations, then how to repeat it. */
import { MIN_SUCCESS_SHARE, percent, RECOVERY_LIMIT_MS } from './evaluate.ts';
import type { Facts, Thresholds, Verdict } from './evaluate.ts';
import { commandOf, type ChaosOptions } from './options.ts';

export interface Report {
  readonly options: ChaosOptions;
  readonly thresholds: Thresholds;
  readonly facts: Facts;
  readonly verdict: Verdict;
  /** Every response that clients got, by status and code. */
  readonly responses: ReadonlyMap<string, number>;
  readonly tookMs: number;
}

const MAX_LINES = 40;
const NAME_WIDTH = 32;

/** The report as lines for a terminal. */
export function describe(report: Report): readonly string[] {
  const { options, facts, verdict, responses } = report;
  const statuses = new Map(facts.orders.map(({ id, status }) => [id, status]));
  const outcomes = countBy(
    facts.purchases.map(({ orderId, outcome, code }) => {
      const other = outcome === 'refused' ? `refused: ${code}` : outcome.replace('_', ' ');
      return statuses.get(orderId ?? '') ?? other;
    }),
  );
  const { violations, attention } = verdict;
  return [
    ...section('Faults injected', [...facts.fired].map(count)),
    ...section('Kills and recovery', killLines(report)),
    ...section('Orders by outcome', [...outcomes].map(count)),
    ...section(
      'Responses to clients',
      [...responses].sort(([a], [b]) => a.localeCompare(b)).map(count),
    ),
    ...section('Assertions', assertionLines(report)),
    ...section('Waiting for a person', shortened(attention)),
    ...section('Violations', shortened(violations)),
    '',
    violations.length === 0
      ? `Chaos passed, seed ${options.seed}.`
      : `Chaos found ${violations.length} violations, seed ${options.seed}.`,
    `Repeat it with: ${commandOf(options)}`,
  ];
}

function assertionLines({ facts, verdict, tookMs }: Report): readonly string[] {
  const could = facts.purchases.filter(({ plan }) => plan.shouldSucceed).length;
  const share = `${percent(verdict.successShare)} of ${could}`;
  const atEnd = facts.audit.reduce((sum, { violations }) => sum + violations, 0);
  const audited = `${facts.violationsDuring.length + atEnd} violations`;
  return [
    row('orders', String(facts.purchases.length)),
    row('shipped of those that could', `${share} (at least ${percent(MIN_SUCCESS_SHARE)})`),
    row('lost acknowledgements', String(verdict.lostAcknowledgements)),
    row('orders settled', inTime(facts.settledAfterMs)),
    row('subscriptions caught up', inTime(facts.caughtUpAfterMs)),
    ...receiptLines(facts),
    row('audit', `${audited} (${facts.checksDuring} checks during the faults)`),
    row('waiting for a person', String(verdict.attention.length)),
    row('took', `${seconds(tookMs)} s`),
  ];
}

function killLines({ facts, thresholds }: Report): readonly string[] {
  return thresholds.targets.map((target) => {
    const kills = facts.kills.filter((kill) => kill.target === target);
    const recovered = worst(kills.map(({ recoveredAfterMs }) => recoveredAfterMs));
    const ready = worst(kills.map(({ apiReadyAfterMs }) => apiReadyAfterMs));
    return row(target, `${kills.length}, worst: recovered ${recovered}, API ready ${ready}`);
  });
}

function worst(times: readonly (number | null)[]): string {
  if (times.length === 0) return '-';
  return times.includes(null) ? 'never' : `${seconds(Math.max(...times.map(Number)))} s`;
}

function inTime(afterMs: number | null): string {
  const limit = `(within ${seconds(RECOVERY_LIMIT_MS)} s)`;
  return afterMs === null ? `NO ${limit}` : `${seconds(afterMs)} s ${limit}`;
}

function receiptLines({ receipts }: Facts): readonly string[] {
  if (receipts === null) return [];
  const { allAfterMs, events, repeated, failed, invalid } = receipts;
  const all = allAfterMs === null ? 'NOT ALL' : `all after ${seconds(allAfterMs)} s`;
  const figures = `${repeated} more than once, ${failed} failed, ${invalid.length} invalid`;
  return [row('webhooks received', `${events} events, ${all}; ${figures}`)];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}

function shortened(lines: readonly string[]): readonly string[] {
  if (lines.length <= MAX_LINES) return lines;
  return [...lines.slice(0, MAX_LINES), `and ${lines.length - MAX_LINES} more`];
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

function countBy(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
