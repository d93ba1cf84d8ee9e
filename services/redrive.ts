/**
 * An operator's decision about a dead letter. A redrive retries the failed work under the same ids:
 * the waiting step of a checkout, the delivery of the event, the notification, the refund, or the webhook
 * of the payment provider.
 */
import { requestedDelivery } from '../domain/delivery.ts';
import {
  isNotification,
  isRefundId,
  type Notification,
  type OrderId,
  type RefundId,
} from '../domain/ids.ts';
import type { Database } from '../prisma/client/client.ts';
import {
  countDiscardable,
  discardOpen,
  type Discarded,
} from '../prisma/events/dead-letter-groups.ts';
import {
  findDeadLetter,
  markRedriven,
  reopenDeadLetter,
  type DeadLetter,
} from '../prisma/events/dead-letters.ts';
import { recordAction, recordActions, type Operator } from '../prisma/access/operator-actions.ts';
import { reopenMessage } from '../prisma/events/inbox.ts';
import { findRefund, findRefundStart } from '../prisma/payments/refunds.ts';
import type { Resolution } from '../domain/attention.ts';
import type { CheckoutClient } from '../temporal/checkout-client.ts';
import type { DeliveryClient } from '../temporal/delivery-client.ts';
import type { RefundClient } from '../temporal/refund-client.ts';
import { resolveStep, type StepDecisionOutcome } from './resolve-step.ts';

export interface RedriveDeps {
  readonly db: Database;
  readonly checkouts: CheckoutClient;
  readonly deliveries: DeliveryClient;
  readonly refunds: RefundClient;
}

export interface Decider extends Operator {
  /** The API key's name, shown with the dead letter. */
  readonly name: string;
}

export interface RedriveRequest {
  /** `skip` and `cancel` apply only to the steps of a checkout. */
  readonly action: Resolution['decision'];
  readonly note: string | null;
  readonly by: Decider;
}

export type RedriveOutcome =
  | { readonly kind: 'redriven'; readonly deadLetter: DeadLetter }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'not_open'; readonly deadLetter: DeadLetter }
  /** Only the step of a checkout can be skipped or cancelled. */
  | { readonly kind: 'not_applicable' }
  /** No step is waiting for this decision. The dead letter is open again. */
  | { readonly kind: 'not_waiting' }
  /** Only a new refund can return the money: one has failed at the provider, or none was made. */
  | { readonly kind: 'refund_failed' }
  /** Temporal is unavailable. The dead letter is open again. */
  | { readonly kind: 'unavailable' }
  /** Temporal refuses it for good. The dead letter is open again. */
  | { readonly kind: 'rejected' };

export async function redrive(
  deps: RedriveDeps,
  id: string,
  request: RedriveRequest,
): Promise<RedriveOutcome> {
  const deadLetter = await findDeadLetter(deps.db, id);
  if (deadLetter === null) return { kind: 'not_found' };
  if (request.action !== 'retry' && deadLetter.source !== 'checkout')
    return { kind: 'not_applicable' };
  if (await needsNewRefund(deps.db, deadLetter)) return { kind: 'refund_failed' };
  const decided = await decide(deps.db, deadLetter, request);
  // The decision is recorded first, so that concurrent redrives start the work only once.
  if (!decided) return notOpen(deps, deadLetter);
  const outcome = await startOrReopen(deps, deadLetter, request);
  if (outcome !== 'started') return { kind: outcome };
  return { kind: 'redriven', deadLetter: (await findDeadLetter(deps.db, id)) ?? deadLetter };
}

export type DiscardOutcome =
  | { readonly kind: 'discarded'; readonly deadLetter: DeadLetter }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'not_open'; readonly deadLetter: DeadLetter }
  /** An order or a refund waits for a decision about it. */
  | { readonly kind: 'awaited' };

export interface Discard {
  readonly note: string;
  readonly by: Decider;
}

/** Closes the dead letter without a retry. The failed work stays undone. */
export async function discard(
  deps: Pick<RedriveDeps, 'db'>,
  id: string,
  request: Discard,
): Promise<DiscardOutcome> {
  const ids = await discardAll(deps.db, { id }, { ...request, limit: 1 });
  const deadLetter = await findDeadLetter(deps.db, id);
  if (deadLetter === null) return { kind: 'not_found' };
  if (ids.length === 1) return { kind: 'discarded', deadLetter };
  return deadLetter.status === 'open' ? { kind: 'awaited' } : { kind: 'not_open', deadLetter };
}

export interface DiscardManyOutcome {
  /** The open dead letters with the fingerprint. */
  readonly matching: number;
  readonly discarded: number;
  /** An order or a refund waits for a decision about them. */
  readonly refused: number;
}

/** More are discarded by repeating the call. */
const MAX_DISCARDED = 10_000;

/** Closes open dead letters of one cause; without a request it only counts them. */
export async function discardMany(
  { db }: Pick<RedriveDeps, 'db'>,
  fingerprint: string,
  request: Discard | null,
): Promise<DiscardManyOutcome> {
  const { matching, refused } = await countDiscardable(db, { fingerprint });
  if (request === null) {
    return { matching, refused, discarded: Math.min(matching - refused, MAX_DISCARDED) };
  }
  const ids = await discardAll(db, { fingerprint }, { ...request, limit: MAX_DISCARDED });
  return { matching, refused, discarded: ids.length };
}

async function discardAll(
  db: Database,
  which: Discarded,
  { note, by, limit }: Discard & { readonly limit: number },
): Promise<readonly string[]> {
  return db.$transaction(async (tx) => {
    const ids = await discardOpen(tx, which, { note, actor: by.name, limit });
    const action = 'dead_letter.discarded';
    await recordActions(
      tx,
      by,
      ids.map((subject) => ({ action, subject })),
    );
    return ids;
  });
}

async function needsNewRefund(
  db: Database,
  { source, status, subject }: DeadLetter,
): Promise<boolean> {
  if (source !== 'refund' || status !== 'open') return false;
  // Its subject is a dispute.
  if (!isRefundId(subject)) return true;
  const refund = await findRefund(db, subject);
  return refund !== null && refund.failureCode !== null;
}

async function decide(
  db: Database,
  { id }: DeadLetter,
  { action, note, by }: RedriveRequest,
): Promise<boolean> {
  return db.$transaction(async (tx) => {
    if (!(await markRedriven(tx, id, { note, actor: by.name }))) return false;
    await recordAction(tx, by, { action: 'dead_letter.redriven', subject: id, data: { action } });
    return true;
  });
}

async function notOpen({ db }: Pick<RedriveDeps, 'db'>, deadLetter: DeadLetter) {
  return {
    kind: 'not_open',
    deadLetter: (await findDeadLetter(db, deadLetter.id)) ?? deadLetter,
  } as const;
}

async function startOrReopen(
  deps: RedriveDeps,
  deadLetter: DeadLetter,
  request: RedriveRequest,
): Promise<StepDecisionOutcome> {
  let outcome: StepDecisionOutcome = 'unavailable';
  try {
    outcome = await start(deps, deadLetter, request);
  } finally {
    if (outcome !== 'started') await reopenDeadLetter(deps.db, deadLetter.id);
  }
  return outcome;
}

async function start(
  { db, checkouts, deliveries, refunds }: RedriveDeps,
  deadLetter: DeadLetter,
  { action, by }: RedriveRequest,
): Promise<StepDecisionOutcome> {
  switch (deadLetter.source) {
    case 'checkout': {
      const orderId = orderOf(deadLetter);
      // The note stays in PostgreSQL, because it may contain personal data.
      const note = `dead letter ${deadLetter.id}`;
      const resolution = { step: deadLetter.subject, decision: action, note, actor: by.apiKeyId };
      return resolveStep({ db, checkouts }, orderId, resolution);
    }
    case 'delivery':
      return (await deliveries.startDelivery(deliveryOf(deadLetter))).kind;
    case 'notification': {
      const order = { orderId: orderOf(deadLetter), notification: notificationOf(deadLetter) };
      return (await deliveries.startNotification(order)).kind;
    }
    case 'webhook':
      return (await reopenMessage(db, 'payments', deadLetter.subject)) ? 'started' : 'not_waiting';
    case 'refund': {
      const refund = await findRefundStart(db, refundOf(deadLetter));
      return refund === null ? 'not_waiting' : (await refunds.retry(refund, by.apiKeyId)).kind;
    }
  }
}

function deliveryOf(deadLetter: DeadLetter) {
  const { id, subject, eventId } = deadLetter;
  if (eventId === null) throw new Error(`${id} has no event`);
  return requestedDelivery({ subscription: subject, eventId, orderId: orderOf(deadLetter) });
}

function orderOf({ id, orderId }: DeadLetter): OrderId {
  if (orderId === null) throw new Error(`${id} has no order`);
  return orderId;
}

function refundOf({ id, subject }: DeadLetter): RefundId {
  if (!isRefundId(subject)) throw new Error(`${id} has no refund`);
  return subject;
}

function notificationOf({ id, subject }: DeadLetter): Notification {
  if (!isNotification(subject)) throw new Error(`${id} has no notification`);
  return subject;
}
