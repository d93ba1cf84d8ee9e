import { beforeEach, describe, expect, test } from 'vitest';
import { createCheckoutStarterSubscriber } from '../../../activities/events/subscribers/checkout-starter.ts';
import type { OrderId } from '../../../domain/ids.ts';
import { markStarted, type CheckoutStart } from '../../../prisma/orders/orders.ts';
import { NEVER, useHistory, wanted } from './history.ts';

const history = useHistory();
const started: CheckoutStart[] = [];
/** Temporal refuses these. */
const refused = new Set<OrderId>();
let underWay = { now: 0, most: 0 };

beforeEach(() => {
  started.length = 0;
  refused.clear();
  underWay = { now: 0, most: 0 };
});

const starter = createCheckoutStarterSubscriber({
  get db() {
    return history.db;
  },
  async startCheckout(order) {
    if (refused.has(order.orderId)) throw new Error('overloaded');
    started.push(order);
    underWay.now += 1;
    underWay.most = Math.max(underWay.most, underWay.now);
    await markStarted(history.db, order.orderId);
    underWay.now -= 1;
  },
});

async function eventsOf(...ids: readonly OrderId[]) {
  return wanted(starter, await history.log()).filter(({ orderId }) => ids.includes(orderId));
}

const startedIds = (): OrderId[] => started.map(({ orderId }) => orderId);
const isMarked = async (id: OrderId): Promise<boolean> =>
  (await history.db.order.findUniqueOrThrow({ where: { id } })).workflowStartedAt !== null;

describe('the checkout starter', () => {
  test('the checkout starter starts an unstarted placed order with ids and amounts only', async () => {
    const order = await history.live({ scenario: 'placed' });
    await starter.handle(await eventsOf(order.id), NEVER);
    expect(started).toEqual([
      {
        orderId: order.id,
        totalMinor: 200,
        currency: 'EUR',
        skus: ['mug-white'],
        correlationId: order.correlationId,
        traceparent: null,
        inspectable: false,
      },
    ]);
    expect(await isMarked(order.id)).toBe(true);
  });

  test('the checkout starter starts an order once when its event is redelivered', async () => {
    const { id } = await history.live({ scenario: 'placed' });
    for (const _ of [1, 2, 3]) await starter.handle(await eventsOf(id), NEVER);
    expect(startedIds()).toEqual([id]);
  });

  test('the checkout starter ignores orders that have moved on from placed', async () => {
    const shipped = await history.live({ scenario: 'shipped' });
    const cancelled = await history.live({ scenario: 'cancelled' });
    await starter.handle(await eventsOf(shipped.id, cancelled.id), NEVER);
    expect(started).toEqual([]);
  });

  test('a checkout that Temporal refuses does not stop its batch and is started on redelivery', async () => {
    const ids: OrderId[] = [];
    for (const _ of [1, 2, 3]) ids.push((await history.live({ scenario: 'placed' })).id);
    const [first, second, third] = ids;
    if (!first || !second || !third) throw new Error('three orders');
    refused.add(second);
    await expect(starter.handle(await eventsOf(...ids), NEVER)).rejects.toMatchObject({
      failed: [{ event: { orderId: second }, error: { message: 'overloaded' } }],
    });
    expect(startedIds()).toEqual([first, third]);
    expect(await isMarked(second)).toBe(false);
    refused.clear();
    await starter.handle(await eventsOf(...ids), NEVER);
    expect(startedIds()).toEqual([first, third, second]);
  });

  test('the checkout starter works off a backlog oldest first with ten starts at once', async () => {
    const ids: OrderId[] = [];
    for (let at = 0; at < 25; at += 1) ids.push((await history.live({ scenario: 'placed' })).id);
    await starter.handle(await eventsOf(...ids), NEVER);
    expect(startedIds()).toEqual(ids);
    expect(underWay.most).toBe(10);
  });

  test('the checkout starter starts nothing after its deadline', async () => {
    const { id } = await history.live({ scenario: 'placed' });
    const handled = starter.handle(await eventsOf(id), AbortSignal.abort());
    await expect(handled).rejects.toThrow('aborted');
    expect(started).toEqual([]);
  });

  test('the checkout starter delays events by at least two seconds', () => {
    expect(starter.delayMs).toBeGreaterThanOrEqual(2_000);
  });
});
