import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { findAttention } from '../../prisma/orders/step-attempts.ts';
import { cursorNow, LOG_START, readLog } from '../../prisma/events/event-log.ts';
import {
  recordCancelled,
  recordCancelling,
  recordReserved,
} from '../../prisma/orders/record-steps.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import {
  purgeConsumedEvents,
  purgeDeadLetters,
  purgeEvents,
  purgeFeedBatches,
  purgeInboxMessages,
  purgeReconciliations,
  purgeStepAttempts,
} from '../../prisma/operations/retention.ts';
import { findCheckoutProgress } from '../../prisma/orders/stuck-orders.ts';
import { ensureSubscription, removeSubscription } from '../../prisma/events/subscriptions.ts';
import { eventually } from '../support/eventually.ts';
import { eventTypesOf } from '../support/expectations.ts';
import { useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase();

beforeAll(async () => {
  await placeSettled();
  await untilReadable(4);
});

const count = async (): Promise<number> =>
  (await readLog(shop.db, { after: LOG_START, limit: 100 })).events.length;

/** The log is read up to the oldest transaction of the whole server, other tests' included. */
function untilReadable(events: number): Promise<void> {
  return eventually(async () => expect(await count()).toBe(events));
}

test('events younger than the retention period are kept', async () => {
  expect(await purgeEvents(shop.db, { days: 90, limit: 100 })).toBe(0);
  expect(await count()).toBe(4);
});

test('old events are kept while a subscription has not read past them', async () => {
  await ensureSubscription(shop.db, { name: 'slow', types: [], cursor: LOG_START });
  expect(await purgeEvents(shop.db, { days: -1, limit: 100 })).toBe(0);
  await removeSubscription(shop.db, 'slow');
});

test('old events that every subscription has read are purged in bounded batches', async () => {
  const cursor = await cursorNow(shop.db);
  await ensureSubscription(shop.db, { name: 'quick', types: [], cursor });
  expect(await purgeEvents(shop.db, { days: -1, limit: 1 })).toBe(1);
  expect(await purgeEvents(shop.db, { days: -1, limit: 100 })).toBe(3);
  expect(await count()).toBe(0);
  await removeSubscription(shop.db, 'quick');
});

test('an order in needs_attention keeps its old events while those of other orders are purged', async () => {
  const { id: orderId } = await shop.place();
  await recordReserved(shop.db, orderId);
  const steps = ['capturePayment'];
  await recordNeedsAttention(shop.db, orderId, { steps, failure: 'no answer' });
  await placeSettled();
  await untilReadable(8);
  expect(await purgeEvents(shop.db, { days: -1, limit: 2 })).toBe(2);
  expect(await purgeEvents(shop.db, { days: -1, limit: 100 })).toBe(2);
  expect(await eventTypesOf(shop, orderId)).toEqual([
    'order.created',
    'order.placed',
    'order.reserved',
    'order.needs_attention',
  ]);
  expect(await findCheckoutProgress(shop.db, orderId)).toMatchObject({ from: 'reserved' });
  expect(await findAttention(shop.db, orderId)).toMatchObject({ steps: [{ step: steps[0] }] });
});

test('the old events of an order are kept until it is settled and purged afterwards', async () => {
  const { id: orderId } = await shop.place();
  expect(await purgeEvents(shop.db, { days: -1, limit: 100 })).toBe(0);
  await settle(orderId);
  await purgeEvents(shop.db, { days: -1, limit: 100 });
  expect(await eventTypesOf(shop, orderId)).toEqual([]);
});

test('the record of a consumed event is kept while the event can be replayed', async () => {
  await shop.place();
  await shop.db.$executeRaw`
    INSERT INTO consumed_events (consumer, event_id) SELECT 'replayable', id FROM events`;
  expect(await purgeConsumedEvents(shop.db, { days: -1, limit: 100 })).toBe(0);
});

test('the record of a consumed event is purged only after its retention period', async () => {
  await shop.db.$executeRaw`
    INSERT INTO consumed_events (consumer, event_id) VALUES ('c', gen_random_uuid())`;
  expect(await purgeConsumedEvents(shop.db, { days: 90, limit: 100 })).toBe(0);
  expect(await purgeConsumedEvents(shop.db, { days: -1, limit: 100 })).toBe(1);
});

test('an inbox message is purged by the time since it was processed, and never while unprocessed', async () => {
  await shop.db.$executeRaw`
    INSERT INTO inbox (source, id, type, payload, received_at, processed_at) VALUES
      ('warehouse', 'old', 't', '{}', now() - interval '1 year', now() - interval '1 year'),
      ('warehouse', 'late', 't', '{}', now() - interval '1 year', now()),
      ('warehouse', 'waiting', 't', '{}', now() - interval '1 year', NULL)`;
  expect(await purgeInboxMessages(shop.db, { days: 180, limit: 100 })).toBe(1);
  const kept = await shop.db.inboxMessage.findMany({ orderBy: { id: 'asc' } });
  expect(kept.map(({ id }) => id)).toEqual(['late', 'waiting']);
});

test('the webhook attempts on an event are purged with it', async () => {
  const { id: orderId } = await shop.place();
  await shop.db
    .$executeRaw`INSERT INTO webhook_endpoints (id, url, secret) VALUES ('we', 'u', 'v1:')`;
  await shop.db.$executeRaw`
    INSERT INTO webhook_attempts (endpoint_id, event_id, event_type, outcome, latency_ms, response)
    SELECT 'we', id, type, 'delivered', 1, 'ok' FROM events WHERE order_id = ${orderId}`;
  await settle(orderId);
  await purgeEvents(shop.db, { days: -1, limit: 100 });
  expect(await shop.db.webhookAttempt.count()).toBe(0);
});

test('the failed attempts of an order are kept until it is settled, in whichever way, and purged afterwards', async () => {
  const { id: orderId } = await shop.open();
  const purge = async () => {
    await shop.db.$executeRaw`
      INSERT INTO step_attempts (order_id, step, attempts, last_failure, last_failed_at)
      VALUES (${orderId}, 'authorizePayment', 1, 'no answer', now() - interval '1 year')
      ON CONFLICT DO NOTHING`;
    return purgeStepAttempts(shop.db, { days: 180, limit: 100 });
  };
  expect(await purge()).toBe(0);
  for (const status of ['declined', 'expired', 'shipped', 'delivered'] as const) {
    await shop.db.order.update({ where: { id: orderId }, data: { status } });
    expect(await purge(), status).toBe(1);
  }
});

describe('a dead letter', () => {
  const old = { days: 180, limit: 100 };
  const kept = async () => (await shop.db.deadLetter.findMany()).map(({ subject }) => subject);
  beforeEach(() => shop.db.deadLetter.deleteMany());

  test('a dead letter is purged by the time since it was closed, and never while open', async () => {
    const settled = await placeSettled();
    await deadLetter({ subject: 'closed', orderId: settled });
    await deadLetter({ subject: 'young', orderId: settled, isYoung: true });
    await deadLetter({ subject: 'open', orderId: settled, status: 'open' });
    expect(await purgeDeadLetters(shop.db, old)).toBe(1);
    expect((await kept()).toSorted()).toEqual(['open', 'young']);
  });

  test('a closed dead letter is kept while its event is kept or its order or refund is not settled', async () => {
    const moving = await shop.place();
    await deadLetter({ subject: 'moving', orderId: moving.id });
    const settled = await placeSettled();
    const event = await shop.db.event.findFirstOrThrow({ where: { orderId: settled } });
    await deadLetter({ subject: 'event', orderId: settled, eventId: event.id });
    await shop.db.$executeRaw`
      INSERT INTO refunds (id, order_id, key, cause, status, amount_minor, currency)
      VALUES ('rfd_open', ${settled}, 'k', 'order_cancelled', 'needs_attention', 1, 'EUR')`;
    await deadLetter({ subject: 'rfd_open', orderId: settled, source: 'refund' });
    expect(await purgeDeadLetters(shop.db, old)).toBe(0);
    expect((await kept()).toSorted()).toEqual(['event', 'moving', 'rfd_open']);
  });
});

/** A discarded dead letter, decided a year ago. */
async function deadLetter(written: {
  readonly subject: string;
  readonly orderId: OrderId;
  readonly eventId?: string;
  readonly source?: 'checkout' | 'refund';
  readonly status?: 'open';
  readonly isYoung?: true;
}): Promise<void> {
  const { subject, orderId, eventId = null, source = 'checkout', status = 'discarded' } = written;
  const decidedAt = new Date(written.isYoung ? Date.now() : Date.now() - 365 * 86_400_000);
  await shop.db.deadLetter.create({
    data: {
      id: subject,
      source,
      subject,
      orderId,
      eventId,
      status,
      decidedAt,
      actor: 'test',
      message: {},
      error: 'e',
      fingerprint: 'f',
      retryCount: 1,
      firstFailedAt: decidedAt,
      lastFailedAt: decidedAt,
    },
  });
}

test('a batch of the warehouse feed is purged only after its period', async () => {
  await shop.db.$executeRaw`
    INSERT INTO warehouse_feed_batches (first_event_id, events, lines, created_at) VALUES
      (gen_random_uuid(), 1, '[]', now() - interval '181 days'),
      (gen_random_uuid(), 1, '[]', now() - interval '179 days')`;
  expect(await purgeFeedBatches(shop.db, { days: 180, limit: 100 })).toBe(1);
  expect(await shop.db.warehouseFeedBatch.count()).toBe(1);
});

test('a reconciliation is purged with its resolved discrepancies, and kept while one is open', async () => {
  await shop.db.$executeRaw`
    INSERT INTO reconciliations
      (id, scope, status, actor, window_from, window_to, started_at, finished_at)
    SELECT id, 'recent', 'completed', 'schedule', at - interval '2 hours', at, at, at
    FROM (VALUES ('old', now() - interval '200 days'), ('open', now() - interval '200 days'),
      ('new', now())) AS run (id, at)`;
  await shop.db.$executeRaw`
    INSERT INTO reconciliation_discrepancies
      (id, kind, subject, ours, theirs, first_run_id, last_run_id, resolved_run_id, resolved_at)
    VALUES
      ('d1', 'shipment', 's1', '{}', '{}', 'old', 'old', 'old', now() - interval '200 days'),
      ('d2', 'shipment', 's2', '{}', '{}', 'open', 'open', NULL, NULL)`;
  await purgeReconciliations(shop.db, { days: 180, limit: 100 });
  const runs = await shop.db.reconciliation.findMany({ orderBy: { id: 'asc' } });
  expect(runs.map(({ id }) => id)).toEqual(['new', 'open']);
  expect(await shop.db.discrepancy.findMany({ select: { id: true } })).toEqual([{ id: 'd2' }]);
});

async function placeSettled(): Promise<OrderId> {
  const { id: orderId } = await shop.place();
  await settle(orderId);
  return orderId;
}

async function settle(orderId: OrderId): Promise<void> {
  const reason = 'requested_by_customer';
  await recordCancelling(shop.db, orderId, { reason, request: null });
  await recordCancelled(shop.db, orderId, reason);
}
