import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { createCheckoutStarterSubscriber } from '../../activities/subscribers/checkout-starter.ts';
import { checkoutWorkflowId, type OrderId } from '../../domain/ids.ts';
import { LOG_START, readLog } from '../../prisma/event-log.ts';
import { eventually } from '../support/eventually.ts';
import { expectShipped } from '../support/expectations.ts';
import { expectSoundBooks } from './books.ts';
import { cell } from './cell.ts';
import { createRunningShop, type RunningShop } from './running-shop.ts';

const NEVER = new AbortController().signal;

let running: RunningShop;
beforeAll(async () => {
  running = await createRunningShop();
});
afterEach(() => running.proxy.heal());
afterAll(async () => {
  await expectSoundBooks(running.shop);
  await running.close();
});

/** The subscriber that starts what was lost, as the worker runs it. */
async function startFromLog(): Promise<void> {
  const { shop, checkouts } = running;
  const starter = createCheckoutStarterSubscriber({
    db: shop.db,
    async startCheckout(order) {
      if ((await checkouts.start(order)).kind === 'unavailable') throw new Error('away');
    },
  });
  const startAll = async (): Promise<void> => {
    const events = await readLog(shop.db, { after: LOG_START, limit: 1_000 });
    expect(events).toHaveLength(await shop.db.event.count());
    const wanted = events.filter(({ type }) => type === 'order.placed');
    await starter.handle(wanted, NEVER);
  };
  await eventually(startAll, { timeoutMs: 20_000, everyMs: 100 });
}

const isMarked = async (id: OrderId): Promise<boolean> => {
  const order = await running.shop.db.order.findUniqueOrThrow({ where: { id } });
  return order.workflowStartedAt !== null;
};

/** Ships, through one run of one workflow. */
async function expectOneRun(orderId: OrderId): Promise<void> {
  expect(await running.ended(orderId)).toMatchObject({ status: 'shipped' });
  await expectShipped(running.shop, orderId);
  const handle = running.env.client.workflow.getHandle(checkoutWorkflowId(orderId));
  const { events } = await handle.fetchHistory();
  const started = events?.[0]?.workflowExecutionStartedEventAttributes;
  expect(started?.firstExecutionRunId).toBe((await handle.describe()).runId);
  expect(await isMarked(orderId)).toBe(true);
}

describe('starting the workflow of a placed order', () => {
  cell(
    'S4/F1',
    'an order placed while Temporal is unreachable is started from the event log and ships',
    async (proof) => {
      running.proxy.harm({ kind: 'refuse' });
      const orderId = await running.placed();
      proof.fired(running.proxy.counts().refuse);
      expect(await isMarked(orderId)).toBe(false);
      running.proxy.heal();
      await startFromLog();
      await expectOneRun(orderId);
    },
  );

  const sameRun = 'a checkout whose start response is lost is started again as the same run';
  cell(['S4/F2', 'S4/F3'], sameRun, async (proof) => {
    await expectOneRun(await running.placed());
    const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;
    // It stays placed, so that the event log finds it unstarted.
    running.shop.sandbox.faults.set(RESERVE, { mode: 'down' });
    running.proxy.harm({ kind: 'swallow', direction: 'to_client' });
    const orderId = await running.placed();
    proof.fired(running.proxy.counts().swallow);
    const handle = running.env.client.workflow.getHandle(checkoutWorkflowId(orderId));
    const { runId } = await handle.describe();
    expect(await isMarked(orderId)).toBe(false);
    running.proxy.heal();
    await startFromLog();
    expect((await handle.describe()).runId).toBe(runId);
    running.shop.sandbox.faults.clear();
    await expectOneRun(orderId);
  });

  cell(
    'S4/F4',
    'a checkout started ten times concurrently, and again after its end, has one run',
    async (proof) => {
      const orderId = await running.placed();
      const start = {
        orderId,
        totalMinor: 1_200,
        currency: 'EUR',
        skus: [],
        correlationId: 'x',
        traceparent: null,
      };
      const again = () =>
        Promise.all(Array.from({ length: 10 }, () => running.checkouts.start(start)));
      const kinds = (await again()).map(({ kind }) => kind);
      expect(new Set(kinds)).toEqual(new Set(['already_started']));
      await expectOneRun(orderId);
      expect(new Set((await again()).map(({ kind }) => kind))).toEqual(
        new Set(['already_started']),
      );
      await expectOneRun(orderId);
      proof.fired(kinds.length);
    },
  );

  cell(
    'S4/F6',
    'ten orders are accepted while Temporal is unavailable, and all ship when it is back',
    async (proof) => {
      running.proxy.harm({ kind: 'refuse' });
      const before = running.proxy.counts().refuse;
      const orderIds = await Promise.all(Array.from({ length: 10 }, () => running.placed()));
      expect(await running.checkouts.isReachable()).toBe(false);
      proof.fired(running.proxy.counts().refuse - before);
      running.proxy.heal();
      await startFromLog();
      for (const orderId of orderIds) await expectOneRun(orderId);
    },
  );
});
