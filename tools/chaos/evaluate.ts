/** Judges what a run has seen. Pure: the same facts, the same verdict. */
import { isSettledStatus, ORDER_STATUSES } from '../../domain/order.ts';
import { compareRecords } from './records.ts';
import type { OrderRecord, Records } from './records.ts';
import type { Kill } from './killer.ts';
import type { Purchase, Reply } from './client.ts';

export interface Facts {
  readonly purchases: readonly Purchase[];
  readonly records: Records;
  /** From healing until every accepted order was at rest; null: not within the limit. */
  readonly settledAfterMs: number | null;
  /** From healing until every subscription had caught up; null: not within the limit. */
  readonly caughtUpAfterMs: number | null;
  /** Null: there was no receiver of webhooks. */
  readonly receipts: Receipts | null;
  /** What a repeat of each answered request came to, by key. */
  readonly repeats: ReadonlyMap<string, Reply | null>;
  readonly kills: readonly Kill[];
  readonly fired: ReadonlyMap<string, number>;
  readonly auditDuring: readonly string[];
  readonly auditRounds: number;
  readonly auditAfter: readonly string[];
  readonly unchecked: readonly string[];
}

/** What a receiver of webhooks has seen. */
export interface Receipts {
  /** From healing until every event of the log was there; null: not all came. */
  readonly allAfterMs: number | null;
  readonly events: number;
  /** Events that came more than once. */
  readonly twice: number;
  /** Requests it failed. */
  readonly failed: number;
  readonly wrong: readonly string[];
}

export interface Thresholds {
  readonly targets: readonly string[];
  readonly killsEach: number;
  readonly faults: readonly string[];
  readonly settleWithinMs: number;
  /** After each kill; null: only reported. */
  readonly apiReadyWithinMs: number | null;
  /** No shopper is told to come again. */
  readonly everyFirstTry: boolean;
}

export interface Verdict {
  /** What should not be, one line each; empty when all is well. */
  readonly violations: readonly string[];
  /** Of the orders nothing but faults could stop, how many have shipped: 0..1. */
  readonly successShare: number;
  readonly lostAcknowledgements: number;
  /** Accepted orders that wait for a person, with the step that waits. */
  readonly attention: readonly string[];
}

export const LEAST_SUCCESS_SHARE = 0.9;
const MS_PER_SECOND = 1000;

/** Every demand on a run, against what was seen. */
export function evaluate(facts: Facts, thresholds: Thresholds): Verdict {
  const orders = new Map(facts.records.orders.map((order) => [order.id, order]));
  const lost = lostOf(facts.purchases, orders);
  const successShare = successOf(facts.purchases, orders);
  return {
    successShare,
    lostAcknowledgements: lost.length,
    attention: facts.records.orders
      .filter(({ status }) => status === 'needs_attention')
      .map(({ id, attentionStep }) => `${id} waits at ${attentionStep ?? 'no step'}`),
    violations: [
      ...lost,
      ...unrested(facts, orders, thresholds),
      ...unheard(facts, thresholds),
      ...(thresholds.everyFirstTry ? triedAgain(facts) : []),
      ...facts.auditDuring.map((line) => `while harmed: ${line}`),
      ...facts.auditAfter.map((line) => `at the end: ${line}`),
      ...facts.unchecked.map((line) => `not checked: ${line}`),
      ...(facts.auditRounds === 0 ? ['the invariants were never checked while harmed'] : []),
      ...compareRecords(facts.records).map((line) => `books: ${line}`),
      ...otherAnswers(facts),
      ...notHarmed(facts, thresholds),
      ...slowRecoveries(facts.kills, thresholds.apiReadyWithinMs),
      ...(successShare < LEAST_SUCCESS_SHARE
        ? [`only ${percent(successShare)} of the orders that could succeed have shipped`]
        : []),
    ],
  };
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

type Orders = ReadonlyMap<string, OrderRecord>;

/** An accepted order that the database does not have, or has as something never accepted. */
function lostOf(purchases: readonly Purchase[], orders: Orders): string[] {
  const neverAccepted: readonly string[] = ['pending', 'declined', 'expired'];
  return purchases.flatMap(({ outcome, orderId, plan }) => {
    if (outcome !== 'accepted') return [];
    if (orderId === null) return [`${plan.key}: 201 without an order's id`];
    const order = orders.get(orderId);
    if (order === undefined) return [`${orderId}: acknowledged, and not in the database`];
    if (!neverAccepted.includes(order.status)) return [];
    return [`${orderId}: acknowledged, and ${order.status} in the database`];
  });
}

function successOf(purchases: readonly Purchase[], orders: Orders): number {
  const could = purchases.filter(({ plan }) => plan.shouldSucceed);
  const done = could.filter(({ orderId }) => {
    const status = orders.get(orderId ?? '')?.status;
    return status === 'shipped' || status === 'delivered';
  });
  return could.length === 0 ? 0 : done.length / could.length;
}

function unrested(
  { settledAfterMs, purchases }: Facts,
  orders: Orders,
  thresholds: Thresholds,
): string[] {
  const wrong: string[] = [];
  if (settledAfterMs === null) {
    wrong.push(`not all at rest ${thresholds.settleWithinMs / MS_PER_SECOND} s after healing`);
  }
  for (const { orderId } of purchases) {
    const order = orders.get(orderId ?? '');
    if (order === undefined) continue;
    if (!hasSettled(order)) wrong.push(`${order.id}: still ${order.status}`);
    if (order.status === 'needs_attention' && !order.hasDeadLetter) {
      wrong.push(`${order.id}: needs attention at ${order.attentionStep}, and nobody is told`);
    }
  }
  return wrong;
}

/** Events that did not reach those who wait for them. */
function unheard({ caughtUpAfterMs, receipts }: Facts, { settleWithinMs }: Thresholds): string[] {
  const wrong: string[] = [];
  if (caughtUpAfterMs === null) {
    wrong.push(`not all subscriptions caught up ${settleWithinMs / MS_PER_SECOND} s after healing`);
  }
  if (receipts === null) return wrong;
  if (receipts.allAfterMs === null) wrong.push('events are missing at the webhook receiver');
  if (receipts.failed === 0) wrong.push('the webhook receiver never failed');
  return [...wrong, ...receipts.wrong];
}

function triedAgain({ purchases }: Facts): string[] {
  return purchases
    .filter(({ tries }) => tries > 1)
    .map(({ plan, tries }) => `${plan.key}: asked ${tries} times before it was answered`);
}

/** True when the order will not move by itself any more. */
export function hasSettled({ status }: Pick<OrderRecord, 'status'>): boolean {
  const known = ORDER_STATUSES.find((each) => each === status);
  return known !== undefined && isSettledStatus(known);
}

function otherAnswers({ purchases, repeats }: Facts): string[] {
  return purchases.flatMap(({ plan, outcome, reply }) => {
    if (outcome !== 'accepted' && outcome !== 'declined') return [];
    const again = repeats.get(plan.key);
    if (again?.status === reply?.status && again?.body === reply?.body) return [];
    return [`${plan.key}: answered ${reply?.status}, and otherwise when asked again`];
  });
}

/** A fault that never fired, a process never killed: the run has shown nothing about it. */
function notHarmed({ kills, fired }: Facts, { targets, killsEach, faults }: Thresholds): string[] {
  const spared = targets.flatMap((target) => {
    const count = kills.filter((kill) => kill.target === target).length;
    return count >= killsEach ? [] : [`${target} was killed ${count} times, not ${killsEach}`];
  });
  const silent = faults.filter((kind) => (fired.get(kind) ?? 0) === 0);
  return [...spared, ...silent.map((kind) => `fault never fired: ${kind}`)];
}

function slowRecoveries(kills: readonly Kill[], withinMs: number | null): string[] {
  return kills.flatMap(({ target, how, backAfterMs, apiReadyAfterMs }) => {
    if (backAfterMs === null) return [`${target} did not come back after ${how}`];
    if (apiReadyAfterMs === null) return [`the API was not ready again after ${how} of ${target}`];
    if (withinMs === null || apiReadyAfterMs <= withinMs) return [];
    const seconds = (apiReadyAfterMs / MS_PER_SECOND).toFixed(1);
    return [`the API was ready again only ${seconds} s after ${how} of ${target}`];
  });
}
