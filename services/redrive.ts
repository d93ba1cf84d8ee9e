/**
 * What a person decides about a dead letter. A redrive continues what failed under the same name:
 * the waiting step of a checkout, the delivery of the same event, the same notice, the same refund.
 */
import { requestedDelivery } from '../domain/delivery.ts';
import {
  isRefundId,
  refundNotification,
  refundOfNotification,
  type Notification,
  type OrderId,
  type RefundId,
} from '../domain/ids.ts';
import type { Database } from '../prisma/client/client.ts';
import {
  decideDeadLetter,
  findDeadLetter,
  reopenDeadLetter,
  type DeadLetter,
} from '../prisma/events/dead-letters.ts';
import { recordAction, type Operator } from '../prisma/access/operator-actions.ts';
import { findRefundStart } from '../prisma/payments/refunds.ts';
import type { Resolution } from '../domain/attention.ts';
import type { CheckoutClient } from '../temporal/checkout-workflows.ts';
import { resolveStep } from './resolve-step.ts';
import type { DeliveryClient } from '../temporal/delivery-workflows.ts';
import type { RefundClient } from '../temporal/refund-workflows.ts';

export interface RedriveDeps {
  readonly db: Database;
  readonly checkouts: CheckoutClient;
  readonly deliveries: DeliveryClient;
  readonly refunds: RefundClient;
}

export interface Decider extends Operator {
  /** The API key's name, as it is shown beside the letter. */
  readonly name: string;
}

export interface RedriveRequest {
  /** `skip` and `cancel` are for the steps of a checkout. */
  readonly action: Resolution['decision'];
  readonly note: string | null;
  readonly by: Decider;
}

export type RedriveOutcome =
  | { readonly kind: 'redriven'; readonly deadLetter: DeadLetter }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'not_open'; readonly deadLetter: DeadLetter }
  /** Only a checkout's step can be skipped or cancelled. */
  | { readonly kind: 'not_applicable' }
  /** Nothing waits for this decision; the letter is open again. */
  | { readonly kind: 'not_waiting' }
  /** Temporal cannot be reached; the letter is open again. */
  | { readonly kind: 'unavailable' };

const NOTIFICATIONS: readonly Notification[] = ['confirmed', 'shipped', 'cancelled'];

export async function redrive(
  deps: RedriveDeps,
  id: string,
  request: RedriveRequest,
): Promise<RedriveOutcome> {
  const deadLetter = await findDeadLetter(deps.db, id);
  if (deadLetter === null) return { kind: 'not_found' };
  if (request.action !== 'retry' && deadLetter.source !== 'checkout')
    return { kind: 'not_applicable' };
  const decided = await decide(deps.db, deadLetter, { ...request, status: 'redriven' });
  // Decided before it begins: two people's redrives are one, and what fails again opens it again.
  if (!decided) return notOpen(deps, deadLetter);
  const begun = await beginOrReopen(deps, deadLetter, request);
  if (begun !== 'begun') return { kind: begun };
  return { kind: 'redriven', deadLetter: (await findDeadLetter(deps.db, id)) ?? deadLetter };
}

export type DiscardOutcome =
  | { readonly kind: 'discarded'; readonly deadLetter: DeadLetter }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'not_open'; readonly deadLetter: DeadLetter };

/** Lays the letter aside for good. What failed stays undone. */
export async function discard(
  deps: Pick<RedriveDeps, 'db'>,
  id: string,
  { note, by }: { readonly note: string; readonly by: Decider },
): Promise<DiscardOutcome> {
  const deadLetter = await findDeadLetter(deps.db, id);
  if (deadLetter === null) return { kind: 'not_found' };
  const decided = await decide(deps.db, deadLetter, {
    status: 'discarded',
    action: null,
    note,
    by,
  });
  if (!decided) return notOpen(deps, deadLetter);
  return { kind: 'discarded', deadLetter: (await findDeadLetter(deps.db, id)) ?? deadLetter };
}

async function decide(
  db: Database,
  { id }: DeadLetter,
  decision: {
    readonly status: 'redriven' | 'discarded';
    readonly action: string | null;
    readonly note: string | null;
    readonly by: Decider;
  },
): Promise<boolean> {
  const { status, note, by, action } = decision;
  return db.$transaction(async (tx) => {
    if (!(await decideDeadLetter(tx, id, { status, note, actor: by.name }))) return false;
    const data = action === null ? {} : { action };
    await recordAction(tx, by, { action: `dead_letter.${status}`, subject: id, data });
    return true;
  });
}

async function notOpen({ db }: Pick<RedriveDeps, 'db'>, deadLetter: DeadLetter) {
  return {
    kind: 'not_open',
    deadLetter: (await findDeadLetter(db, deadLetter.id)) ?? deadLetter,
  } as const;
}

type Begun = 'begun' | 'not_waiting' | 'unavailable';

async function beginOrReopen(
  deps: RedriveDeps,
  deadLetter: DeadLetter,
  request: RedriveRequest,
): Promise<Begun> {
  let begun: Begun = 'unavailable';
  try {
    begun = await begin(deps, deadLetter, request);
  } finally {
    if (begun !== 'begun') await reopenDeadLetter(deps.db, deadLetter.id);
  }
  return begun;
}

async function begin(
  { db, checkouts, deliveries, refunds }: RedriveDeps,
  deadLetter: DeadLetter,
  { action, by }: RedriveRequest,
): Promise<Begun> {
  const orderId = orderOf(deadLetter);
  switch (deadLetter.source) {
    case 'checkout': {
      // The note stays in PostgreSQL: a person's words may be about a person (G8).
      const note = `dead letter ${deadLetter.id}`;
      const resolution = { step: deadLetter.subject, decision: action, note, actor: by.apiKeyId };
      return resolveStep({ db, checkouts }, orderId, resolution);
    }
    case 'delivery':
      return started(await deliveries.startDelivery(deliveryOf(deadLetter, orderId)));
    case 'notification':
      return started(
        await deliveries.startNotification({ orderId, notification: notificationOf(deadLetter) }),
      );
    case 'refund': {
      const refund = await findRefundStart(db, refundOf(deadLetter));
      return refund === null ? 'not_waiting' : (await refunds.retry(refund)).kind;
    }
  }
}

function started({ kind }: Awaited<ReturnType<DeliveryClient['startNotification']>>): Begun {
  return kind === 'started' ? 'begun' : kind;
}

function deliveryOf({ id, subject, eventId }: DeadLetter, orderId: OrderId) {
  if (eventId === null) throw new Error(`${id} is a delivery of no event`);
  return requestedDelivery({ subscription: subject, eventId, orderId });
}

function orderOf({ id, orderId }: DeadLetter): OrderId {
  if (orderId === null) throw new Error(`${id} is about no order`);
  return orderId;
}

function refundOf({ id, subject }: DeadLetter): RefundId {
  if (!isRefundId(subject)) throw new Error(`${id} is about no refund`);
  return subject;
}

function notificationOf({ id, subject }: DeadLetter): Notification {
  const refundId = refundOfNotification(subject);
  if (refundId !== null) return refundNotification(refundId);
  const notification = NOTIFICATIONS.find((each) => each === subject);
  if (notification === undefined) throw new Error(`${id} is about no notice`);
  return notification;
}
