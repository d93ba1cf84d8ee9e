import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CONCURRENCY_LIMITS } from '../../api/limits/request-class.ts';
import { createApp } from '../../api/app.ts';
import { orderCountsSchema } from '../../api/schemas/order-lists.ts';
import { orderViewSchema } from '../../api/schemas/orders.ts';
import type { OrderId } from '../../domain/ids.ts';
import { ORDER_STATUSES } from '../../domain/order.ts';
import {
  recordReserved,
  recordShipmentAccepted,
  recordShipped,
} from '../../prisma/orders/record-steps.ts';
import { recordShipmentRequested } from '../../prisma/orders/request-shipment.ts';
import { transitionOrder } from '../../prisma/orders/transition.ts';
import { findPayment, recordCaptured } from '../../prisma/payments/payments.ts';
import { eventually } from '../support/eventually.ts';
import { listOf, orderOf, problemOf } from '../support/responses.ts';
import { openShop, openShopForTest, type Shop } from '../support/shop.ts';
import { placedOrder } from '../support/orders.ts';
import { times } from '../support/times.ts';
import { createOrderWaiters } from '../../services/order-waiters.ts';

/** No test lasts so long. */
const NEVER_MS = 600_000;
const LOOKUP = { provider: 'warehouse', operation: 'lookup' } as const;

let shop: Shop;
beforeAll(async () => {
  const { other } = CONCURRENCY_LIMITS;
  // A hundred come at once, and a busy machine may need longer for them than a request may wait.
  const longWait = { ...other, maxStalled: other.maxQueued, maxWaitMs: 60_000 };
  const concurrencyLimits = { ...CONCURRENCY_LIMITS, other: longWait };
  // A response shows that the read did not wait for the warehouse.
  shop = await openShop({ concurrencyLimits, deadlines: { trackingMs: NEVER_MS } });
});
beforeEach(() => shop.sandbox.faults.clear());
afterAll(() => shop.close());

const placed = () => placedOrder(shop);

/** What the workflow's steps write until the warehouse has been asked to ship. */
async function paid(): Promise<OrderId> {
  const id = await placed();
  const payment = await findPayment(shop.db, id);
  if (!payment) throw new Error('an order has a payment');
  await recordReserved(shop.db, id);
  await recordCaptured(shop.db, payment);
  await recordShipmentRequested(shop.db, id);
  await recordShipmentAccepted(shop.db, id);
  return id;
}

const view = orderViewSchema.pick({ status: true, version: true, timeline: true });
const viewOf = async (response: Response | undefined) => view.parse(await response?.json());

async function waitingFor(table: string): Promise<number> {
  const rows = await shop.db.$queryRaw<unknown[]>`
    SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.relation = ${table}::regclass AND NOT l.granted`;
  return rows.length;
}

const show = (id: string, headers: Record<string, string> = {}) =>
  shop.request('GET', `/v1/orders/${id}`, { headers });
/** What a reader sees, once every part of it has come within its second. */
const expectShown = (id: string, seen: object): Promise<void> =>
  eventually(async () => expect(await (await show(id)).json()).toMatchObject(seen));
const parcel = { carrier: 'Test Parcel', trackingNumber: 'TP-1' };

describe('GET /v1/orders/{id}: 200', () => {
  test('an order is returned together with its payment and its timeline', async () => {
    const id = await placed();
    expect((await show(id)).headers.get('cache-control')).toBe('private, no-cache');
    await expectShown(id, {
      id,
      object: 'order',
      status: 'placed',
      payment: { status: 'authorized', amount_minor: 1_200 },
      shipment: null,
      refunds: [],
      timeline: [
        { type: 'order.created', seq: 1 },
        { type: 'order.placed', seq: 2, data: { total_minor: 1_200, currency: 'EUR' } },
      ],
      warnings: [],
    });
  });

  test('an order that changes while it is read is shown in one state', async () => {
    const id = await placed();
    let reading: Promise<Response> | undefined;
    await shop.db.$transaction(async (tx) => {
      await tx.$executeRaw`LOCK TABLE events IN ACCESS EXCLUSIVE MODE`;
      reading = show(id);
      // The reader has the order and waits for its events.
      await eventually(async () => expect(await waitingFor('events')).toBe(1));
      await transitionOrder(tx, { orderId: id, type: 'order.reserved', to: 'reserved' });
    });
    const { status, version, timeline } = await viewOf(await reading);
    expect([status, version, timeline.at(-1)]).toMatchObject(['placed', 2, { seq: 2 }]);
    expect(await viewOf(await show(id))).toMatchObject({ status: 'reserved', version: 3 });
  });

  test('an order with a requested shipment shows the tracking state of the parcel', async () => {
    const id = await paid();
    const shipment = { status: 'requested', carrier: null, tracking: { state: 'absent' } };
    const payment = { status: 'captured', captured_minor: 1_200 };
    await eventually(async () => {
      expect(await (await show(id)).json()).toMatchObject({ status: 'paid', payment, shipment });
    });
  });

  test.each(['down', 'fail_before'] as const)(
    'an order is returned with a warning and another entity tag while the warehouse lookup has the fault %s',
    async (mode) => {
      const id = await paid();
      const whole = (await show(id)).headers.get('etag') ?? '';
      shop.sandbox.faults.set(LOOKUP, { mode });
      const response = await show(id, { 'if-none-match': whole });
      expect(response.status).toBe(200);
      expect(response.headers.get('etag')).not.toBe(whole);
      await expectShown(id, {
        id,
        payment: { status: 'captured' },
        shipment: { status: 'requested', tracking: null },
        warnings: [{ part: 'tracking' }],
      });
    },
  );

  test('an order is returned within a bounded time and with a warning while the warehouse hangs', async () => {
    const id = await paid();
    shop.sandbox.faults.set(LOOKUP, { mode: 'hang' });
    const response = await show(id);
    expect(response.status).toBe(200);
    await expectShown(id, { payment: { status: 'captured' }, warnings: [{ part: 'tracking' }] });
    expect(shop.sandbox.faults.list()[0]?.fired).toBeGreaterThan(0);
  });

  test('the timeline of an order is returned as a list', async () => {
    const id = await placed();
    const list = await listOf(await shop.request('GET', `/v1/orders/${id}/timeline`));
    expect(list.has_more).toBe(false);
    expect(list.data.map(({ type }) => type)).toEqual(['order.created', 'order.placed']);
  });
});

describe('Prefer: wait', () => {
  test('a read with Prefer: wait returns once the order is settled', async () => {
    const id = await paid();
    const waiting = show(id, { prefer: 'wait=20' });
    await recordShipped(shop.db, id, parcel);
    const response = await waiting;
    expect(response.headers.get('preference-applied')).toBe('wait=20');
    expect((await orderOf(response)).status).toBe('shipped');
    await expectShown(id, {
      status: 'shipped',
      shipment: { carrier: 'Test Parcel', tracking_number: 'TP-1' },
    });
  });

  test('100 reads with Prefer: wait all return once the order is settled', async () => {
    const id = await paid();
    const waiting = Promise.all(times(100, () => show(id, { prefer: 'wait=20' })));
    await recordShipped(shop.db, id, parcel);
    const orders = await Promise.all((await waiting).map(orderOf));
    expect(new Set(orders.map(({ status }) => status))).toEqual(new Set(['shipped']));
  });

  test('a read with Prefer: wait returns the unsettled order after the requested time', async () => {
    const id = await placed();
    const response = await show(id, { prefer: 'respond-async, wait=1' });
    expect(response.headers.get('preference-applied')).toBe('wait=1');
    expect((await orderOf(response)).status).toBe('placed');
  });

  test('a read with Prefer: wait=3600 applies wait=30', async () => {
    const id = await paid();
    await recordShipped(shop.db, id, parcel);
    const response = await show(id, { prefer: 'wait=3600' });
    expect(response.headers.get('preference-applied')).toBe('wait=30');
  });

  test('a read with Prefer: wait finds a settled order by polling when the notification is lost', async () => {
    const id = await paid();
    const waiting = show(id, { prefer: 'wait=20' });
    await shop.db.$executeRaw`UPDATE orders SET status = 'shipped' WHERE id = ${id}`;
    expect((await orderOf(await waiting)).status).toBe('shipped');
  });
});

test('a read over the limit of waits returns at once, and says of no preference that it was applied', async () => {
  const id = await placed();
  const { db, notifications } = shop.services;
  const waiters = createOrderWaiters({ db, notifications, maxWaiters: 0 });
  const app = createApp({ ...shop.services, waiters });
  const headers = { prefer: 'wait=30', authorization: 'Bearer hf_local_storefront' };
  const response = await app.request(`/v1/orders/${id}`, { headers });
  waiters.close();
  expect([response.status, response.headers.get('preference-applied')]).toEqual([200, null]);
});

describe('GET /v1/orders/{id}: 304', () => {
  test('a read with the current entity tag returns 304, and 200 after the order changed', async () => {
    const id = await placed();
    const tag = await eventually(async () => {
      const { headers } = await show(id);
      expect(headers.get('etag')).not.toBeNull();
      return headers.get('etag') ?? '';
    });
    const known = await show(id, { 'if-none-match': `W/${tag}, "other"` });
    expect(known.status).toBe(304);
    expect(await known.text()).toBe('');
    await recordReserved(shop.db, id);
    expect((await show(id, { 'if-none-match': tag })).status).toBe(200);
  });
});

describe('GET /v1/orders/{id}: 404', () => {
  test.each(['ord_nope', 'nope', 'ord_01k9zq3v5nfa3s4w1m6t2y8h7c', 'ord_01%27%3B--'])(
    'the order %s and its timeline are not found',
    async (id) => {
      for (const path of [`/v1/orders/${id}`, `/v1/orders/${id}/timeline`]) {
        expect((await problemOf(await shop.request('GET', path))).code).toBe('order_not_found');
      }
    },
  );
});

describe('GET /v1/orders', () => {
  const list = (query: string) => shop.request('GET', `/v1/orders?${query}`, { role: 'operator' });

  test('the order list pages through every order once, newest first, while new orders arrive', async () => {
    const customer = { email: 'pages@example.com', name: 'Pages' };
    const ids: string[] = [];
    for (const _ of [1, 2, 3, 4, 5]) ids.push((await orderOf(await shop.place({ customer }))).id);
    const seen: unknown[] = [];
    let after = '';
    for (let page = 0; page < 3; page += 1) {
      const { data, has_more: more } = await listOf(
        await list(`email=Pages@example.com&limit=2${after}`),
      );
      seen.push(...data.map(({ id }) => id));
      after = `&starting_after=${String(data.at(-1)?.['id'])}`;
      expect(more).toBe(page < 2);
      await shop.place({ customer });
    }
    expect(seen).toEqual(ids.toReversed());
  });

  test('the order list is filtered by status and by creation time', async () => {
    const declined = await shop.place({ payment_method: 'pm_card_chargeDeclined' });
    expect(declined.status).toBe(402);
    const { data } = await listOf(await list('status=declined'));
    expect(new Set(data.map(({ status }) => status))).toEqual(new Set(['declined']));
    expect((await listOf(await list('created_after=2999-01-01T00:00:00Z'))).data).toEqual([]);
  });

  test('the order list is searched by what a person has of an order, such as the number in its body', async () => {
    const customer = { email: 'searched@example.com', name: 'Grace Search', phone: '+1 555 0142' };
    const order = await orderOf(await shop.place({ customer }));
    const number = order['order_number'];
    for (const q of [number, 'searched@', 'grace', 'search', '5550142', order.id]) {
      const query = `q=${encodeURIComponent(String(q))}&status=pending,placed`;
      const { data } = await listOf(await list(query));
      expect(data, query).toMatchObject([{ id: order.id, order_number: number }]);
    }
    expect((await listOf(await list('q=grace&status=shipped'))).data).toEqual([]);
    expect((await listOf(await list('q=grace&updated_before=2020-01-01T00:00:00Z'))).data).toEqual(
      [],
    );
  });

  test('orders with a step that is being retried are listed on request, and counted', async () => {
    const [retried, other] = [await placed(), await placed()];
    const counts = async () => {
      const response = await shop.request('GET', '/v1/orders/counts', { role: 'operator' });
      return orderCountsSchema.parse(await response.json());
    };
    const { retrying: before } = await counts();
    const failedAt = new Date('2026-11-01T10:00:00Z');
    const failed = { orderId: retried, step: 'reserveStock', attempts: 2, lastFailure: 'x' };
    await shop.db.stepAttempt.create({
      data: { ...failed, firstFailedAt: failedAt, nextAttemptAt: new Date() },
    });
    await shop.db.stepAttempt.create({ data: { ...failed, orderId: other, nextAttemptAt: null } });
    const { data } = await listOf(await list('retrying=true&limit=100'));
    expect(data.map(({ id }) => id)).toEqual([retried]);
    expect(await counts()).toMatchObject({
      retrying: before + 1,
      oldest_retry_at: failedAt.toISOString(),
    });
    expect((await list('retrying=maybe')).status).toBe(422);
    await shop.db.stepAttempt.deleteMany({});
  });

  test('a misspelled parameter of the order list is refused with those that it has', async () => {
    const problem = await problemOf(await list('emial=ada@example.com'));
    expect(problem).toMatchObject({
      status: 400,
      code: 'unknown_parameter',
      errors: [{ parameter: 'emial' }],
    });
    for (const known of ['q', 'status', 'email', 'created_after', 'updated_before']) {
      expect(problem.detail).toContain(known);
    }
  });

  test('orders are counted by status', async () => {
    const counts = async () => {
      const response = await shop.request('GET', '/v1/orders/counts', { role: 'operator' });
      return orderCountsSchema.parse(await response.json());
    };
    const { by_status: before } = await counts();
    await placed();
    await shop.place({ payment_method: 'pm_card_chargeDeclined' });
    const { by_status: after } = await counts();
    expect(Object.keys(after).toSorted()).toEqual([...ORDER_STATUSES].toSorted());
    expect(after).toEqual({
      ...before,
      placed: (before['placed'] ?? Number.NaN) + 1,
      declined: (before['declined'] ?? Number.NaN) + 1,
    });
  });

  test.each([
    'limit=0',
    'limit=101',
    'limit=x',
    'q=%20',
    'status=lost',
    'status=placed,lost',
    'status=',
    'updated_before=today',
    'email=x',
    'created_after=today',
    'created_after=0000-01-01T00:00:00Z',
  ])('the order list with %s returns 422 and names the parameter', async (query) => {
    const problem = await problemOf(await list(query));
    expect(problem.status).toBe(422);
    expect(problem.errors?.[0]).toMatchObject({ parameter: query.split('=')[0] });
  });

  test('the order list after an invalid order id returns 422', async () => {
    expect((await problemOf(await list('starting_after=x'))).status).toBe(422);
  });
});

test('a read with Prefer: wait returns 200 when a shutdown ends its wait', async () => {
  const own = await openShopForTest();
  const { id } = await orderOf(await own.place());
  const { waiters } = own.services;
  let waits = 0;
  const untilSettled: typeof waiters.untilSettled = (orderId, { signal }) => {
    waits += 1;
    return waiters.untilSettled(orderId, { apiKeyId: 'key', waitMs: NEVER_MS, signal });
  };
  const app = createApp({ ...own.services, waiters: { ...waiters, untilSettled } });
  const headers = { prefer: 'wait=30', authorization: 'Bearer hf_local_storefront' };
  const waiting = app.request(`/v1/orders/${id}`, { headers });
  await eventually(() => expect(waits).toBe(1));
  waiters.close();
  expect((await waiting).status).toBe(200);
});
