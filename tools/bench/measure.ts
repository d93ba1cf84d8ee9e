/** Runs a load until all its orders are at rest, and says what each order cost. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { PART_NAMES, type PartName } from '../../local/stack/home.ts';
import type { Cost, CostMeter } from './cost.ts';
import { kinds, latency, type LoadResponse, type LoadResult } from './load.ts';
import type { TemporalMeter } from './temporal-meter.ts';

const REST_WITHIN_MS = 60_000;
/** A client that was refused does not ask again at once. */
const AFTER_REFUSAL_MS = 100;

export interface Meters {
  readonly cost: CostMeter;
  /** Of an app that runs its orders on Temporal. */
  readonly temporal?: TemporalMeter | undefined;
  /** How long an order may take from its response until it is at rest. Default: a minute. */
  readonly restWithinMs?: number;
}

export interface Row {
  readonly orders: number;
  /** From the first request until the last order is at rest. */
  readonly perSecond: number;
  readonly answerMs: { readonly p50: number; readonly p99: number };
  /** Per order. */
  readonly cpuMs: Readonly<Record<string, number>>;
  readonly statements: number;
  readonly walBytes: number;
  readonly temporalCalls: number | null;
  readonly historyEvents: number | null;
  readonly residentMb: Readonly<Record<string, number>>;
  /** How many processors other programs used meanwhile: the less, the better the measurement. */
  readonly otherCores: number;
}

/** What a load calls with each response. Resolves when its order is at rest; never rejects. */
export type Settled = (response: LoadResponse) => Promise<void>;

/** Throws when no order was placed, or when one does not come to rest. */
export async function measure(
  { cost, temporal, restWithinMs = REST_WITHIN_MS }: Meters,
  run: (settled: Settled) => Promise<LoadResult[]>,
): Promise<Row> {
  const rests: Promise<boolean>[] = [];
  const settled: Settled = async ({ status, body }) => {
    if (status !== 201) return delay(AFTER_REFUSAL_MS);
    const rest = cost.atRest(orderSchema.parse(JSON.parse(body)).id, restWithinMs);
    rests.push(rest);
    await rest;
  };
  const [before, callsBefore, startedAt] = [
    await cost.read(),
    (await temporal?.calls()) ?? 0,
    new Date(),
  ];
  const results = await run(settled);
  const unfinished = (await Promise.all(rests)).filter((isAtRest) => !isAtRest).length;
  const tookMs = Date.now() - startedAt.getTime();
  const orders = rests.length;
  if (orders === 0) throw new Error(`no order was placed: ${kinds(results)}`);
  if (unfinished > 0) throw new Error(`${unfinished} of ${orders} orders did not come to rest`);
  const after = await cost.read();
  return {
    orders,
    perSecond: (orders * 1_000) / tookMs,
    answerMs: { p50: latency(results, 0.5), p99: latency(results, 0.99) },
    ...costPerOrder(orders, before, after),
    otherCores: (after.otherCpuMs - before.otherCpuMs) / tookMs,
    temporalCalls: temporal ? ((await temporal.calls()) - callsBefore) / orders : null,
    historyEvents: temporal ? await temporal.historyEvents(startedAt) : null,
  };
}

const orderSchema = z.object({ id: z.string() });

function costPerOrder(orders: number, before: Cost, after: Cost) {
  const perOrder = (of: 'statements' | 'walBytes') => (after[of] - before[of]) / orders;
  const cpuPerOrder = (part: PartName) => (after.cpuMs[part] - before.cpuMs[part]) / orders;
  return {
    cpuMs: Object.fromEntries(PART_NAMES.map((part) => [part, cpuPerOrder(part)])),
    statements: perOrder('statements'),
    walBytes: perOrder('walBytes'),
    residentMb: after.residentMb,
  };
}

/** Processor time of all parts per order, in ms. */
export function cpuOf({ cpuMs }: Row): number {
  return Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0);
}

/** One line of the output. */
export function describeRow(row: Row): string {
  const { perSecond, answerMs, statements, walBytes, historyEvents, temporalCalls } = row;
  const parts = Object.entries(row.cpuMs).map(([part, ms]) => `${part} ${ms.toFixed(1)}`);
  return [
    `${perSecond.toFixed(1)}/s to rest`,
    `p50 ${answerMs.p50.toFixed(0)} p99 ${answerMs.p99.toFixed(0)} ms`,
    `CPU ${cpuOf(row).toFixed(1)} ms (${parts.join(', ')})`,
    `${statements.toFixed(1)} statements`,
    `${(walBytes / 1_024).toFixed(0)} KiB of WAL`,
    `others used ${row.otherCores.toFixed(2)} cores`,
    ...(historyEvents === null ? [] : [`${historyEvents.toFixed(1)} history events`]),
    ...(temporalCalls === null ? [] : [`${temporalCalls.toFixed(1)} calls to Temporal`]),
  ].join('; ');
}
