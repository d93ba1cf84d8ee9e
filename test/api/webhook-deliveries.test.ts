import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { WEBHOOK_RETRY_DELAYS_MS } from '../../domain/delivery.ts';
import { recordAttempts } from '../../prisma/events/webhook-attempts.ts';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { listOf, orderOf, problemOf } from '../support/responses.ts';
import { endpointCalls } from './endpoint-calls.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const redelivery = z.looseObject({
  requested: z.number(),
  has_more: z.boolean(),
  next_from: z.string().nullable(),
});

const shop = useShop();
let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const { get, post, patch, create } = endpointCalls(() => ({ shop, url: receiver.url }));

async function placeOrder(): Promise<string> {
  return (await orderOf(await shop.place())).id;
}

describe('deliveries', () => {
  test('webhook deliveries are listed newest first, page by page, and can be filtered by event', async () => {
    const { id } = await create();
    const eventIds = [randomUUID(), randomUUID(), randomUUID()];
    for (const eventId of eventIds) {
      const attempt = {
        eventId,
        eventType: 'order.placed',
        outcome: 'failed',
        status: 500,
        latencyMs: 12,
        error: 'HTTP 500',
        // The text is cut within a character of two UTF-16 units.
        response: `${'x'.repeat(1_023)}${'📦'.repeat(2_000)}`,
      } as const;
      await recordAttempts(shop.db, id, [attempt]);
    }
    const first = await listOf(await get(`/${id}/deliveries?limit=2`));
    expect(first).toMatchObject({ has_more: true });
    const after = String(first.data.at(-1)?.['id']);
    const rest = await listOf(await get(`/${id}/deliveries?limit=2&starting_after=${after}`));
    expect(rest.has_more).toBe(false);
    const all = [...first.data, ...rest.data];
    expect(all.map((each) => each['event_id'])).toEqual(eventIds.toReversed());
    expect(all[0]).toMatchObject({ status: 500, latency_ms: 12, response: 'x'.repeat(1_023) });
    const one = await listOf(await get(`/${id}/deliveries?event_id=${eventIds[1]}`));
    expect(one.data).toHaveLength(1);
    expect((await get(`/${id}/deliveries?starting_after=x`)).status).toBe(422);
  });
});

describe('a redelivery', () => {
  const firstEvent = async (orderId: string) =>
    shop.db.event.findFirstOrThrow({ where: { orderId, type: 'order.placed' } });

  test('a redelivery of one event returns 202 and starts it with the same event id and the full retry schedule', async () => {
    const { id } = await create();
    const orderId = await placeOrder();
    const { id: eventId } = await firstEvent(orderId);
    const response = await post(`/${id}/redeliver`, { event_id: eventId });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ requested: 1, has_more: false });
    expect(shop.deliveries.deliveries).toEqual([
      {
        subscription: `webhook/${id}`,
        eventId,
        orderId,
        attempts: 0,
        delaysMs: [0, ...WEBHOOK_RETRY_DELAYS_MS],
        firstFailedAt: null,
        error: null,
      },
    ]);
  });

  test("a redelivery of a time range covers exactly the events of the endpoint's types", async () => {
    const { id } = await create({ types: ['order.placed'] });
    const from = new Date(Date.now() - 60_000).toISOString();
    await placeOrder();
    const to = new Date(Date.now() + 60_000).toISOString();
    const all = await shop.db.event.findMany({
      where: { type: 'order.placed', time: { gte: from, lt: to } },
    });
    const response = await post(`/${id}/redeliver`, { from, to });
    expect(redelivery.parse(await response.json()).requested).toBe(all.length);
    const started = shop.deliveries.deliveries.map(({ eventId }) => eventId);
    expect(started.toSorted()).toEqual(all.map((each) => each.id).toSorted());
  });

  test('a redelivery of more events than fit in one call continues where it stopped', async () => {
    const { id } = await create({ types: ['order.delivered'] });
    const { orderId } = await firstEvent(await placeOrder());
    const startMs = Date.parse('2030-01-01T00:00:00Z');
    const data = times(250, (at) => ({
      id: randomUUID(),
      type: 'order.delivered',
      orderId,
      seq: 1_000 + at,
      correlationId: 'span',
      data: {},
      time: new Date(startMs + at * 1_000),
    }));
    await shop.db.event.createMany({ data });
    const to = '2031-01-01T00:00:00Z';
    let from = '2030-01-01T00:00:00Z';
    const requested: number[] = [];
    for (;;) {
      const response = await post(`/${id}/redeliver`, { from, to });
      const { requested: some, next_from: next } = redelivery.parse(await response.json());
      requested.push(some);
      if (next === null) break;
      from = next;
    }
    expect(requested).toEqual([200, 50]);
    expect(new Set(shop.deliveries.deliveries.map(({ eventId }) => eventId)).size).toBe(250);
  });

  test('a redelivery is refused for an unknown event, a disabled endpoint, and while Temporal is unavailable', async () => {
    const { id } = await create();
    const unknown = await post(`/${id}/redeliver`, { event_id: randomUUID() });
    expect((await problemOf(unknown)).code).toBe('event_not_found');
    const { id: eventId } = await firstEvent(await placeOrder());
    shop.checkouts.reachable = false;
    const away = await post(`/${id}/redeliver`, { event_id: eventId });
    expect(away.headers.get('retry-after')).not.toBeNull();
    expect((await problemOf(away)).code).toBe('delivery_unavailable');
    await patch(id, { status: 'disabled' });
    const disabled = await post(`/${id}/redeliver`, { event_id: eventId });
    expect((await problemOf(disabled)).code).toBe('endpoint_disabled');
  });

  test.each([
    {},
    { from: '2026-01-01T00:00:00Z' },
    { event_id: 'x' },
    { event_id: randomUUID(), from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' },
    { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' },
  ])('a redelivery with the body %o returns 422', async (body) => {
    const { id } = await create();
    expect((await problemOf(await post(`/${id}/redeliver`, body))).status).toBe(422);
  });
});
