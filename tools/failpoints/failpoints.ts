/**
 * Failpoints: named places at which this process kills itself, so that tests can show what follows
 * from a crash there. The closed list, and how one of them is armed. Without one nothing runs here.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { EVENT_TYPES, type EventType } from '../../domain/order.ts';

/** External calls. `before`: not sent yet. `after`: the effect happened, its response is unused. */
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
  'sms.send',
  'webhook.send',
  'temporal.start',
  'temporal.start_delivery',
  'temporal.start_refund',
  'temporal.signal',
  'temporal.update',
] as const;

/** No transaction writes the first yet; the one of `payment.disputed` writes the others as well. */
const WITHOUT_SEAM = [
  'order.delivered',
  'payment.dispute_closed',
  'payment.fraud_warning',
  'payment.review_opened',
  'payment.review_closed',
] as const satisfies readonly EventType[];
type WrittenEvent = Exclude<EventType, (typeof WITHOUT_SEAM)[number]>;
/** Transactions that write an event are named by its type. */
const EVENTS = EVENT_TYPES.filter(
  (type): type is WrittenEvent => !WITHOUT_SEAM.some((each) => each === type),
);

/** Other transactions are named by the first table they write to, and how. */
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
export type Seam = CallSeam | `commit.${WrittenEvent}` | `commit.${(typeof WRITES)[number]}`;
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
  /** Kills this process when the point is armed and has not killed a process yet. */
  pass(seam: Seam, moment: Moment): void;
}

/**
 * True for `<name>`, `<name>#<n>` (the n-th passage) and `@<file>`: the armed point is then read from
 * the file at each passage, so that one process can be armed repeatedly.
 */
export function isFailpointSetting(text: string): boolean {
  return text.startsWith('@') || parse(text) !== null;
}

/**
 * Arms the failpoint of the setting. The mark file is written just before the kill; while it exists
 * nothing fires, so the restarted process survives.
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
      // Of two processes that pass at the same time, one dies.
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
    // Not armed now.
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
