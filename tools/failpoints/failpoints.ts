/**
 * Failpoints: named places at which this process kills itself, so that tests can show what a death
 * there comes to. The closed list, and what arms one of them. Nothing here runs unless one is armed.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import type { EventType } from '../../domain/order.ts';

/** Calls of others. `before`: not asked yet. `after`: the effect is done, its answer not used yet. */
const CALLS = [
  'payments.authorize',
  'payments.look_up',
  'payments.capture',
  'payments.void',
  'payments.refund',
  'warehouse.reserve',
  'warehouse.release',
  'warehouse.ship',
  'warehouse.cancel',
  'mail.send',
  'webhook.send',
  'temporal.start',
  'temporal.start_delivery',
  'temporal.start_refund',
  'temporal.signal',
  'temporal.update',
] as const;

/** Transactions that write an event are known by its type. */
const EVENTS = [
  'order.created',
  'order.declined',
  'order.expired',
  'order.placed',
  'order.reserved',
  'order.paid',
  'order.shipment_requested',
  'order.shipped',
  'order.cancelling',
  'order.stock_released',
  'order.payment_voided',
  'order.payment_refunded',
  'order.shipment_cancelled',
  'order.cancelled',
  'order.needs_attention',
  'order.attention_resolved',
  'order.customer_notified',
  'order.notification_failed',
  'refund.requested',
  'refund.succeeded',
  'refund.failed',
  'refund.needs_attention',
  'order.discrepancy_found',
  'order.discrepancy_resolved',
] as const satisfies readonly EventType[];

/** The others by the first table they write to, and how. */
const WRITES = [
  'payment_operations.insert',
  'shipments.insert',
  'shipments.update',
  'orders.update',
  'refunds.update',
  'idempotency_keys.insert',
  'idempotency_keys.update',
  'inbox.insert',
  'inbox.update',
  'subscriptions.update',
  'consumed_events.insert',
  'webhook_attempts.insert',
  'dead_letters.insert',
  'audit_log.insert',
] as const;

export type CallSeam = (typeof CALLS)[number];
/** A place that can be armed before and after. */
export type Seam =
  CallSeam | `commit.${(typeof EVENTS)[number]}` | `commit.${(typeof WRITES)[number]}`;
export type Moment = 'before' | 'after';

export const SEAMS: readonly Seam[] = [
  ...CALLS,
  ...EVENTS.map((type) => `commit.${type}` as const),
  ...WRITES.map((write) => `commit.${write}` as const),
];

/** The closed list: `<seam>:before` and `<seam>:after`. */
export const FAILPOINTS: readonly string[] = SEAMS.flatMap((seam) => [
  `${seam}:before`,
  `${seam}:after`,
]);

export interface Failpoints {
  /** Kills this process when the point is armed and has not killed one yet. */
  pass(seam: Seam, moment: Moment): void;
}

/**
 * True for `<name>`, `<name>#<n>` (the n-th passage) and `@<file>`: the armed point is then whatever
 * the file says at the time, so that one process can be armed again and again.
 */
export function isFailpointSetting(text: string): boolean {
  return text.startsWith('@') || parse(text) !== null;
}

/**
 * Arms what `setting` says. The mark is written just before the kill; while it exists nothing fires,
 * so the process that takes over lives.
 */
export function createFailpoints(options: {
  readonly setting: string;
  readonly markFile: string;
}): Failpoints {
  const { setting, markFile } = options;
  let armed = '';
  let passages = 0;
  return {
    pass(seam, moment) {
      const now = setting.startsWith('@') ? textOf(setting.slice(1)) : setting;
      if (now !== armed) [armed, passages] = [now, 0];
      if (armed === '') return;
      const wanted = parse(armed);
      if (wanted === null) throw new Error(`no failpoint: ${armed}`);
      if (wanted.name !== `${seam}:${moment}` || existsSync(markFile)) return;
      passages += 1;
      if (passages < wanted.passage) return;
      // Of two processes that get here at once, one dies.
      if (markOnce(markFile, `${wanted.name} ${process.pid}\n`))
        process.kill(process.pid, 'SIGKILL');
    },
  };
}

interface Wanted {
  readonly name: string;
  /** Which passage kills, from 1. */
  readonly passage: number;
}

function parse(text: string): Wanted | null {
  const [, name = '', passage = '1'] =
    /^([a-z_.]+:(?:before|after))(?:#([1-9]\d{0,5}))?$/.exec(text) ?? [];
  return FAILPOINTS.includes(name) ? { name, passage: Number(passage) } : null;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    // Not armed at the moment.
    return '';
  }
}

function markOnce(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}
