/** Evaluates what a run has shown. Pure: the same facts give the same verdict. */
import { isSettledStatus, ORDER_STATUSES } from '../../domain/order.ts';
import type { InvariantResult } from '../../prisma/operations/invariants.ts';
import { ACKNOWLEDGED_CHECK } from '../audit/acknowledged.ts';
import type { Purchase, Reply } from './client.ts';
import { linesOf } from './invariant-watch.ts';
import type { Kill } from './killer.ts';
import type { OrderRecord } from './records.ts';

export interface Facts {
  readonly purchases: readonly Purchase[];
  readonly orders: readonly OrderRecord[];
  /** From clearing the faults until every accepted order was settled; null: not within the limit. */
  readonly settledAfterMs: number | null;
  /** From clearing the faults until no subscription lagged; null: not within the limit. */
  readonly caughtUpAfterMs: number | null;
  /** Null: there was no webhook receiver. */
  readonly receipts: Receipts | null;
  /** The response to a repetition of each answered request, by key. */
  readonly repeats: ReadonlyMap<string, Reply | null>;
  readonly kills: readonly Kill[];
  readonly fired: ReadonlyMap<string, number>;
  /** Violations seen during the faults, one line each. */
  readonly violationsDuring: readonly string[];
  /** How often all invariants were checked during the faults. */
  readonly checksDuring: number;
  /** The audit at the end: database, workflows, providers' ledgers, acknowledged orders. */
  readonly audit: readonly InvariantResult[];
}

/** What a webhook receiver has seen. */
export interface Receipts {
  /** From clearing the faults until every event of the log was received; null: not all were. */
  readonly allAfterMs: number | null;
  readonly events: number;
  /** Events received more than once. */
  readonly repeated: number;
  /** Requests that it failed. */
  readonly failed: number;
  /** Requests that are not valid webhooks, one line each. */
  readonly invalid: readonly string[];
}

export interface Thresholds {
  readonly targets: readonly string[];
  readonly killsEach: number;
  readonly faults: readonly string[];
  /** After a kill; null: only reported. */
  readonly apiReadyWithinMs: number | null;
  /** No client needs a second attempt. */
  readonly everyFirstAttempt: boolean;
}

export interface Verdict {
  /** One line each; empty when no promise was broken. */
  readonly violations: readonly string[];
  /** Of the orders that only a fault could stop, the share that has shipped: 0..1. */
  readonly successShare: number;
  readonly lostAcknowledgements: number;
  /** Accepted orders that wait for a person, with the step that waits. */
  readonly attention: readonly string[];
}

export const MIN_SUCCESS_SHARE = 0.9;
/** For everything that has to recover after the faults are cleared. */
export const RECOVERY_LIMIT_MS = 60_000;
const IN_TIME = `within ${RECOVERY_LIMIT_MS / 1000} s of clearing the faults`;

export function evaluate(facts: Facts, thresholds: Thresholds): Verdict {
  const { purchases, orders, audit, violationsDuring, checksDuring } = facts;
  const successShare = successOf(purchases, orders);
  return {
    successShare,
    lostAcknowledgements: audit.find(({ name }) => name === ACKNOWLEDGED_CHECK)?.violations ?? 0,
    attention: orders
      .filter(({ status }) => status === 'needs_attention')
      .map(({ id, attentionStep }) => `${id} waits at ${attentionStep ?? 'no step'}`),
    violations: [
      ...purchases
        .filter(({ outcome, orderId }) => outcome === 'accepted' && orderId === null)
        .map(({ plan }) => `${plan.key}: 201 without an order id`),
      ...unsettled(facts),
      ...misjudgedShoppers(facts),
      ...missingEvents(facts),
      ...(thresholds.everyFirstAttempt ? retried(purchases) : []),
      ...violationsDuring.map((line) => `during the faults: ${line}`),
      ...linesOf(audit).map((line) => `at the end: ${line}`),
      ...audit.flatMap(({ name, unchecked }) =>
        unchecked === null ? [] : [`not checked: ${name}: ${unchecked}`],
      ),
      ...(checksDuring === 0 ? ['the invariants were never checked during the faults'] : []),
      ...changedResponses(facts),
      ...notInjected(facts, thresholds),
      ...slowRecoveries(facts.kills, thresholds.apiReadyWithinMs),
      ...(successShare < MIN_SUCCESS_SHARE
        ? [`only ${percent(successShare)} of the orders that could succeed have shipped`]
        : []),
    ],
  };
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** True when the order makes no further progress without a person. */
export function hasSettled({ status }: Pick<OrderRecord, 'status'>): boolean {
  const known = ORDER_STATUSES.find((each) => each === status);
  return known !== undefined && isSettledStatus(known);
}

function successOf(purchases: readonly Purchase[], orders: readonly OrderRecord[]): number {
  const shipped = new Set(
    orders.filter(({ status }) => ['shipped', 'delivered'].includes(status)).map(({ id }) => id),
  );
  const could = purchases.filter(({ plan }) => plan.shouldSucceed);
  const succeeded = could.filter(({ orderId }) => shipped.has(orderId ?? ''));
  return could.length === 0 ? 0 : succeeded.length / could.length;
}

function unsettled({ settledAfterMs, purchases, orders }: Facts): readonly string[] {
  const accepted = new Set(purchases.map(({ orderId }) => orderId));
  const left = orders.filter((order) => accepted.has(order.id) && !hasSettled(order));
  const lines = left.map(({ id, status }) => `${id}: not settled, ${status}`);
  return settledAfterMs === null ? [`not all orders settled ${IN_TIME}`, ...lines] : lines;
}

/** A shopper who confirmed and left has ordered; one who left without an answer has not. */
function misjudgedShoppers({ purchases, orders }: Facts): readonly string[] {
  const statuses = new Map(orders.map(({ id, status }) => [id, status]));
  return purchases.flatMap(({ plan, outcome, orderId }) => {
    if (outcome !== 'left' || orderId === null) return [];
    const hasExpired = statuses.get(orderId) === 'expired';
    if (plan.challenge === 'webhook' && hasExpired) return [`${orderId}: confirmed, and expired`];
    if (plan.challenge !== 'abandons' || hasExpired) return [];
    return [`${orderId}: not confirmed, and ${statuses.get(orderId) ?? 'lost'}`];
  });
}

function missingEvents({ caughtUpAfterMs, receipts }: Facts): readonly string[] {
  return [
    ...(caughtUpAfterMs === null ? [`not all subscriptions caught up ${IN_TIME}`] : []),
    ...(receipts?.allAfterMs === null ? ['events are missing at the webhook receiver'] : []),
    ...(receipts?.failed === 0 ? ['the webhook receiver never failed'] : []),
    ...(receipts?.invalid ?? []),
  ];
}

function retried(purchases: readonly Purchase[]): readonly string[] {
  return purchases
    .filter(({ attempts }) => attempts > 1)
    .map(({ plan, attempts }) => `${plan.key}: ${attempts} attempts until the final response`);
}

function changedResponses({ purchases, repeats }: Facts): readonly string[] {
  return purchases.flatMap(({ plan, outcome, reply }) => {
    if (outcome !== 'accepted' && outcome !== 'declined') return [];
    const again = repeats.get(plan.key);
    if (again?.status === reply?.status && again?.body === reply?.body) return [];
    return [`${plan.key}: got ${reply?.status}, and another response to the repeated request`];
  });
}

/** A fault that never fired, a process never killed: the run shows nothing about it. */
function notInjected({ kills, fired }: Facts, thresholds: Thresholds): readonly string[] {
  const { targets, killsEach, faults } = thresholds;
  const spared = targets.flatMap((target) => {
    const count = kills.filter((kill) => kill.target === target).length;
    return count >= killsEach ? [] : [`${target} was killed ${count} times, not ${killsEach}`];
  });
  const silent = faults.filter((kind) => (fired.get(kind) ?? 0) === 0);
  return [...spared, ...silent.map((kind) => `fault never fired: ${kind}`)];
}

function slowRecoveries(kills: readonly Kill[], withinMs: number | null): readonly string[] {
  return kills.flatMap(({ target, how, recoveredAfterMs, apiReadyAfterMs }) => {
    if (recoveredAfterMs === null) return [`${target} did not recover from ${how}`];
    if (apiReadyAfterMs === null) return [`the API was not ready again after ${how} of ${target}`];
    if (withinMs === null || apiReadyAfterMs <= withinMs) return [];
    const seconds = (apiReadyAfterMs / 1000).toFixed(1);
    return [`the API was ready again only ${seconds} s after ${how} of ${target}`];
  });
}
