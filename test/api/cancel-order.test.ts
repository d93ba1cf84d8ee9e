import { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storedKey } from '../../api/http/idempotency-key.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { createCheckoutClient } from '../../temporal/checkout-client.ts';
import { readable } from '../../tools/audit/readable.ts';
import { checkoutWorkflowId, shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import { eventually } from '../support/eventually.ts';
import { problemOf } from '../support/responses.ts';
import { openRunningShop, type RunningShop } from '../support/running-shop.ts';
import { paymentEffects } from '../support/shop.ts';
import { openNamespace, type Temporal } from '../support/temporal.ts';

const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;

let temporal: Temporal;
let shop: RunningShop;
/** How the API reaches Temporal; null: not at all. */
let client: Client | null;
/** Runs inside the workflow task that cancels an order, after its last write. */
let whileCancelling: (orderId: OrderId) => Promise<void> = async () => {};

beforeAll(async () => {
  temporal = await openNamespace();
  client = ordinaryClient();
  shop = await openRunningShop(temporal, {
    queues: [],
    temporal: { checkouts: createCheckoutClient({ client: () => client, eagerStart: true }) },
    adapt: ({ recordCancelled }) => ({
      async recordCancelled(input) {
        await recordCancelled(input);
        await whileCancelling(input.orderId);
      },
    }),
  });
});
afterAll(async () => {
  await shop.close();
  await temporal.close();
});

/** On the connection of the worker, as an eager start wants it. */
const ordinaryClient = () => new Client(temporal);

/** One that gives up after half a second, whatever the deadline. */
class ShortDeadlineClient extends Client {
  override withDeadline<R>(_: number | Date, call: () => Promise<R>): Promise<R> {
    return super.withDeadline(Date.now() + 500, call);
  }
}

const placed = async (): Promise<OrderId> => (await shop.order()).orderId;

const cancel = (id: string, key: string, role: 'storefront' | 'operator' = 'storefront') =>
  shop.request('POST', `/v1/orders/${id}/cancel`, { key, role });

const comesTo = (id: string, status: OrderStatus) =>
  eventually(async () => {
    const order = await shop.db.order.findUniqueOrThrow({ where: { id } });
    expect(order.status).toBe(status);
    return order;
  });

const shippingAsked = (id: string) =>
  eventually(() =>
    shop.db.event.findFirstOrThrow({ where: { orderId: id, type: 'order.shipment_requested' } }),
  );

describe('a cancel without a worker', () => {
  test('a cancel without a worker returns 503 cancel_undecided, and the same key returns 202 once a worker runs', async () => {
    shop.sandbox.faults.set(RESERVE, { mode: 'fail_before' });
    const id = await placed();
    client = new ShortDeadlineClient(temporal);
    // A busy server may not even have begun it within the deadline.
    await eventually(async () => {
      const waiting = await cancel(id, 'undecided');
      expect(waiting.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await problemOf(waiting)).toMatchObject({ status: 503, code: 'cancel_undecided' });
    });
    client = ordinaryClient();
    await shop.startWorker('checkouts');
    const response = await cancel(id, 'undecided');
    expect(response.status).toBe(202);
    shop.sandbox.faults.clear();
    const order = await comesTo(id, 'cancelled');
    expect(order.cancelReason).toBe('requested_by_customer');
  });
});

describe('POST /v1/orders/{id}/cancel: 202', () => {
  test('an accepted cancel returns its pending compensations, voids the payment, and replays the same response', async () => {
    shop.sandbox.faults.set(RESERVE, { mode: 'fail_before' });
    const id = await placed();
    const response = await cancel(id, 'accepted', 'operator');
    expect(response.status).toBe(202);
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ id, object: 'order', status: 'cancelling' });
    expect(JSON.parse(body).pending_compensations).toContain('voidOrRefundPayment');
    shop.sandbox.faults.clear();
    const order = await comesTo(id, 'cancelled');
    expect(order.cancelReason).toBe('requested_by_operator');
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1, void: 1 });

    const replay = await cancel(id, 'accepted', 'operator');
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    expect(await replay.text()).toBe(body);

    // The response was lost before it was stored; the finished workflow still returns it.
    await shop.db.idempotencyKey.deleteMany({ where: { key: storedKey('accepted') } });
    const again = await cancel(id, 'accepted', 'operator');
    expect([again.status, await again.text()]).toEqual([202, body]);

    const other = await problemOf(await cancel(id, 'another-key'));
    expect(other).toMatchObject({ code: 'not_cancellable', reason: 'already_cancelled' });
  });

  test("a cancel's idempotency key is scoped to its client and kept out of the history, events, and logs", async () => {
    shop.sandbox.faults.set(RESERVE, { mode: 'fail_before' });
    const id = await placed();
    const key = 'cancel-ada@example.com-17';
    expect((await cancel(id, key)).status).toBe(202);
    // The same key from another client is another request.
    const other = await problemOf(await cancel(id, key, 'operator'));
    expect(other).toMatchObject({ status: 409, code: 'not_cancellable' });
    shop.sandbox.faults.clear();
    await comesTo(id, 'cancelled');

    const history = readable(await shop.checkoutOf(id).fetchHistory());
    const events = await shop.db.event.findMany({ where: { orderId: id } });
    const turned = events.find(({ type }) => type === 'order.cancelling');
    expect(turned?.causationId).toMatch(/^cancel\/key_local_storefront\/[0-9a-f]{64}$/);
    expect(history).toContain(turned?.causationId);
    for (const kept of [history, readable(events), shop.logged.join('')]) {
      expect(kept).not.toContain('ada@example.com-17');
    }
  });

  test.each([
    ['once', 1],
    ['four times', 4],
  ])('a cancel whose workflow task is lost %s is accepted and refunds once', async (_, times) => {
    shop.sandbox.faults.set(SHIP, { mode: 'down' });
    const id = await placed();
    await comesTo(id, 'paid');
    let lost = 0;
    // An event during a workflow's last task makes the server drop that task with its update.
    whileCancelling = async (orderId) => {
      if (lost === times) return;
      lost += 1;
      const answer = { kind: 'refused', reason: 'not ours' } as const;
      await eventually(async () => {
        const sent = await shop.services.checkouts.shipmentAnswered(orderId, {
          correlationId: 'not-ours',
          answer,
        });
        expect(sent.kind).toBe('delivered');
      });
    };
    const key = `lost-${times}`;
    const response = await cancel(id, key);
    whileCancelling = async () => {};
    shop.sandbox.faults.clear();
    const pending_compensations = ['cancelShipment', 'voidOrRefundPayment', 'releaseStock'];
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({
      id,
      status: 'cancelling',
      pending_compensations,
    });
    expect(lost).toBe(times);
    const order = await comesTo(id, 'cancelled');
    expect(order.cancelReason).toBe('requested_by_customer');
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1, capture: 1, refund: 1 });
    const other = await problemOf(await cancel(id, `${key}-other`));
    expect(other).toMatchObject({ code: 'not_cancellable', reason: 'already_cancelled' });
  });

  test('a cancel before the workflow started returns 503 while Temporal is unavailable and 202 afterwards', async () => {
    client = null;
    const id = await placed();
    const away = await problemOf(await cancel(id, 'not-started'));
    expect(away).toMatchObject({ status: 503, code: 'checkout_unavailable' });
    client = ordinaryClient();
    expect((await cancel(id, 'not-started')).status).toBe(202);
    await comesTo(id, 'cancelled');
  });
});

describe('POST /v1/orders/{id}/cancel: 409', () => {
  test('a cancel after the parcel left is refused, also once the workflow has closed', async () => {
    const id = await placed();
    await shippingAsked(id);
    const { checkouts } = shop.services;
    const correlationId = shipmentCorrelationId(id);
    const answer = { kind: 'shipped', carrier: 'Test Parcel', trackingNumber: 'TP-1' } as const;
    const delivered = await checkouts.shipmentAnswered(id, { correlationId, answer });
    expect(delivered.kind).toBe('delivered');
    await comesTo(id, 'shipped');
    const problem = await problemOf(await cancel(id, 'too-late'));
    expect(problem).toMatchObject({ code: 'not_cancellable', reason: 'already_shipped' });
    await eventually(async () => {
      const late = await checkouts.shipmentAnswered(id, { correlationId, answer });
      expect(late.kind).toBe('closed');
    });
    const start = {
      orderId: id,
      totalMinor: 1_200,
      currency: 'EUR',
      skus: [],
      correlationId: 'x',
      traceparent: null,
      inspectable: false,
    };
    expect((await checkouts.start(start)).kind).toBe('already_started');
    const outcome = await checkouts.cancel(start, { reason: 'requested_by_customer' }, 'cancel/x');
    expect(outcome).toEqual({ kind: 'refused', reason: 'checkout_ended' });
    const resolution = { step: 'x', decision: 'retry', note: 'x', actor: 'x' } as const;
    expect((await checkouts.resolve(id, resolution)).kind).toBe('not_running');
  });

  test('a cancel of an order that waits for a person without a workflow is refused with that reason', async () => {
    const id = await placed();
    // No step is under way any more that would move the order on.
    await shippingAsked(id);
    await shop.temporal.client.workflow.getHandle(checkoutWorkflowId(id)).terminate();
    await recordNeedsAttention(shop.db, id, { steps: ['checkout'], failure: 'terminated' });
    const problem = await problemOf(await cancel(id, 'nobody-there'));
    expect(problem).toMatchObject({ code: 'not_cancellable', reason: 'needs_attention' });
  });

  test('a cancel is refused as not_placed_yet before the payment and as already_declined after a decline', async () => {
    const authorize = { provider: 'payments', operation: 'authorize' } as const;
    shop.sandbox.faults.set(authorize, { mode: 'fail_before', times: 1 });
    expect((await shop.place({}, 'still-paying')).status).toBe(503);
    const { orderId } = await shop.db.idempotencyKey.findFirstOrThrow({
      where: { key: storedKey('still-paying') },
    });
    const pending = await problemOf(await cancel(orderId ?? '', 'x1'));
    expect(pending).toMatchObject({ code: 'not_cancellable', reason: 'not_placed_yet' });
    await shop.place({ payment_method: 'pm_card_chargeDeclined' });
    const declined = await shop.db.order.findFirstOrThrow({ where: { status: 'declined' } });
    const problem = await problemOf(await cancel(declined.id, 'x2'));
    expect(problem).toMatchObject({ reason: 'already_declined' });
  });

  test('two concurrent cancels return one 202 and one 409, and the order ends cancelled', async () => {
    shop.sandbox.faults.set(RESERVE, { mode: 'fail_before' });
    const id = await placed();
    const responses = await Promise.all([cancel(id, 'one'), cancel(id, 'two')]);
    shop.sandbox.faults.clear();
    const statuses = responses.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([202, 409]));
    await comesTo(id, 'cancelled');
  });
});

test('a cancel with a content type but no body returns 202, and malformed JSON is refused', async () => {
  shop.sandbox.faults.set(RESERVE, { mode: 'fail_before' });
  const path = `/v1/orders/${await placed()}/cancel`;
  const request = { key: 'bare', headers: { 'content-type': 'application/json' } };
  expect((await shop.request('POST', path, request)).status).toBe(202);
  shop.sandbox.faults.clear();
  const broken = await shop.request('POST', path, { key: 'broken', body: '{' });
  expect((await problemOf(broken)).code).toBe('malformed_json');
});

test('a cancel is refused without a key, for an unknown order, and with an unknown field in the body', async () => {
  const id = await placed();
  const path = `/v1/orders/${id}/cancel`;
  expect((await problemOf(await shop.request('POST', path))).code).toBe('idempotency_key_required');
  expect((await problemOf(await cancel('ord_nope', 'x'))).code).toBe('order_not_found');
  const request = { key: 'x', body: { reason: 'changed my mind', force: true } };
  expect((await problemOf(await shop.request('POST', path, request))).errors).toMatchObject([
    { pointer: '#/force' },
  ]);
});
