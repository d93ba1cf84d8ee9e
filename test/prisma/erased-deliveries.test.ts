import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { recordDeliveriesFailed } from '../../activities/events/failed-deliveries.ts';
import type { OrderId } from '../../domain/ids.ts';
import { recordAttempts } from '../../prisma/events/webhook-attempts.ts';
import { transitionOrder } from '../../prisma/orders/transition.ts';
import { orderErased, whileLocked } from '../support/while-locked.ts';
import { useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase();
const NOTE = 'Ann asked for it';

let orderId: OrderId;
let eventId: string;
beforeEach(async () => {
  ({ id: orderId } = await shop.open());
  await shop.db.$transaction((tx) =>
    transitionOrder(tx, { orderId, type: 'order.attention_resolved', data: { note: NOTE } }),
  );
  const where = { orderId, type: 'order.attention_resolved' };
  ({ id: eventId } = await shop.db.event.findFirstOrThrow({ where }));
});

test('an attempt at a webhook that is recorded while its order is being erased has no response', async () => {
  const endpoint = randomUUID();
  await shop.db.$executeRaw`
    INSERT INTO webhook_endpoints (id, url, secret) VALUES (${endpoint}, 'u', 'v1:')`;
  const attempt = {
    eventId,
    eventType: 'order.attention_resolved',
    outcome: 'failed',
    status: 500,
    latencyMs: 1,
    error: 'HTTP 500',
    response: NOTE,
  } as const;
  await recordAttempts(shop.db, endpoint, [attempt]);
  await whileLocked(shop.url, {
    first: orderErased(orderId),
    meanwhile: () =>
      recordAttempts(shop.db, endpoint, [attempt, { ...attempt, eventId: randomUUID() }]),
  });
  const kept = await shop.db.webhookAttempt.findMany({ orderBy: { id: 'asc' } });
  // The first was written before. The event of the last one is not in the log.
  const about = kept.map((each) => [each.eventId === eventId, each.response]);
  expect(about[0]).toEqual([true, NOTE]);
  expect(about.slice(1)).toHaveLength(2);
  expect(about.slice(1)).toEqual(
    expect.arrayContaining([
      [true, null],
      [false, NOTE],
    ]),
  );
});

test('a dead letter that is recorded while its order is being erased has what the erasure left of the event', async () => {
  const failedAt = new Date().toISOString();
  const failed = { subscription: 'analytics', eventId, orderId, attempts: 1, error: 'HTTP 500' };
  await whileLocked(shop.url, {
    first: `${orderErased(orderId)};
      UPDATE events SET data = '{"note": "erased"}' WHERE id = '${eventId}'`,
    meanwhile: () => recordDeliveriesFailed(shop.db, [{ ...failed, firstFailedAt: failedAt }]),
  });
  const { message } = await shop.db.deadLetter.findFirstOrThrow({ where: { orderId } });
  expect(message).toMatchObject({ data: { note: 'erased' } });
});
