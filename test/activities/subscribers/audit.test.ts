import { beforeAll, describe, expect, test } from 'vitest';
import { createAuditSubscriber } from '../../../activities/events/subscribers/audit.ts';
import type { Subscriber } from '../../../activities/events/subscribers/subscriber.ts';
import { cancelUpdateId, shipmentCorrelationId, type OrderId } from '../../../domain/ids.ts';
import type { EventType } from '../../../domain/order.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { recordCancelling } from '../../../prisma/orders/record-steps.ts';
import { readable } from '../../../tools/audit/readable.ts';
import { DECISION, SCENARIOS, NEVER, useHistory, type Scenario } from './history.ts';

const history = useHistory();
let audit: Subscriber;
let log: readonly LoggedEvent[];
const ids = new Map<Scenario | 'by_operator' | 'manual' | 'by_system', OrderId>();
const ASKED = cancelUpdateId('key_of/somebody', 'a1'.repeat(32));

beforeAll(async () => {
  audit = createAuditSubscriber(history);
  for (const scenario of SCENARIOS) ids.set(scenario, (await history.live({ scenario })).id);
  for (const [name, reason, request] of [
    ['by_operator', 'requested_by_operator', ASKED],
    ['manual', 'requested_by_operator', null],
    ['by_system', 'warehouse_refused', null],
  ] as const) {
    const { id } = await history.live({ scenario: 'placed' });
    await recordCancelling(history.db, id, { reason, request });
    ids.set(name, id);
  }
  log = await history.log();
  // Out of order, then half of it, then all of it again.
  await audit.handle(log.toReversed().slice(0, 9), NEVER);
  await audit.handle(log.slice(0, log.length / 2), NEVER);
  await audit.handle(log, NEVER);
});

async function entry(subject: OrderId | undefined, action: EventType) {
  if (subject === undefined) throw new Error('no such order');
  return history.db.auditEntry.findFirstOrThrow({ where: { subject, action } });
}

describe('the audit log', () => {
  test('the audit log has one entry per redelivered event with the time of the event', async () => {
    const entries = await history.db.auditEntry.findMany();
    expect(entries).toHaveLength(log.length);
    for (const event of log) {
      expect(entries.find(({ eventId }) => eventId === event.id)).toMatchObject({
        action: event.type,
        subject: event.orderId,
        cause: event.causationId,
        at: new Date(event.time),
      });
    }
  });

  test.each([
    ['placed', 'order.placed', 'customer'],
    ['cancelled', 'order.cancelled', 'customer'],
    ['by_operator', 'order.cancelling', 'operator/key_of/somebody'],
    ['manual', 'order.cancelling', 'operator'],
    ['by_system', 'order.cancelling', 'system'],
    ['shipped', 'order.reserved', 'system'],
    ['declined', 'order.declined', 'system'],
    ['attended', 'order.attention_resolved', 'operator/key_operator'],
  ] as const)(
    'the audit log of order %s gives %s the actor %s',
    async (scenario, action, actor) => {
      expect((await entry(ids.get(scenario), action)).actor).toBe(actor);
    },
  );

  test('the audit log records the cause of an event and the decision of an operator', async () => {
    const shipped = ids.get('shipped');
    expect(shipped && (await entry(shipped, 'order.shipped')).cause).toBe(
      shipped && shipmentCorrelationId(shipped),
    );
    expect((await entry(ids.get('cancelled'), 'order.cancelling')).cause).toBe('cancel-1');
    const { step, decision } = DECISION;
    const decided = await entry(ids.get('attended'), 'order.attention_resolved');
    expect(decided.data).toEqual({ step, decision });
  });

  test('the audit log holds no personal data and no free text', async () => {
    const text = readable(await history.db.auditEntry.findMany());
    for (const secret of ['ada@example.com', 'Ada', 'Street 1', 'canary', 'TP1', 'pm_card']) {
      expect(text).not.toContain(secret);
    }
  });

  test('the audit log rejects updates and deletes', async () => {
    const { db } = history;
    await expect(db.$executeRaw`UPDATE audit_log SET actor = 'x'`).rejects.toThrow('append-only');
    await expect(db.$executeRaw`DELETE FROM audit_log`).rejects.toThrow('append-only');
  });
});
