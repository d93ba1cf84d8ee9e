/**
 * Writes one audit entry per event, with only the listed members of the event's data: free text and
 * tracking numbers stay out of a log that cannot be erased.
 */
import { DEFAULT_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import { cancellingKey } from '../../../domain/ids.ts';
import type { OrderEvent } from '../../../domain/order.ts';
import { writeAudit, type AuditEntry } from '../../../prisma/access/audit-log.ts';
import type { Database } from '../../../prisma/client/client.ts';
import type { Subscriber } from './subscriber.ts';

/** Amounts, codes and step names. `failure` comes from activities/failures.ts, without free text. */
const AUDITED_MEMBERS: readonly string[] = [
  'total_minor',
  'amount_minor',
  'credit_minor',
  'due_minor',
  'credit_returned_minor',
  'currency',
  'decline_code',
  'refund_id',
  'failure_code',
  'reason',
  'steps',
  'step',
  'decision',
  'failure',
  'notification',
];

export function createAuditSubscriber({ db }: { readonly db: Database }): Subscriber {
  return {
    name: 'audit',
    types: [],
    startsAt: 'beginning',
    maxBatch: 200,
    delayMs: 0,
    deadlineMs: 10_000,
    retryDelaysMs: DEFAULT_RETRY_DELAYS_MS,
    handle: (events) => writeAudit(db, events.map(toEntry)),
  };
}

function toEntry(event: OrderEvent): AuditEntry {
  return {
    eventId: event.id,
    actor: actorOf(event),
    action: event.type,
    subject: event.orderId,
    cause: event.causationId,
    data: Object.fromEntries(
      Object.entries(event.data).filter(([name]) => AUDITED_MEMBERS.includes(name)),
    ),
    at: event.time,
  };
}

function actorOf({ type, data, causationId }: OrderEvent): string {
  const { actor, reason } = data;
  if (actor === 'system') return actor;
  if (typeof actor === 'string' && actor !== '') return `operator/${actor}`;
  if (reason === 'requested_by_customer') return 'customer';
  if (reason === 'requested_by_operator') {
    const key = causationId === null ? null : cancellingKey(causationId);
    return key === null ? 'operator' : `operator/${key}`;
  }
  return type === 'order.created' || type === 'order.placed' ? 'customer' : 'system';
}
