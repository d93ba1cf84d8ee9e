import { expect, onTestFinished, test } from 'vitest';
import { subscriptionWorkflowId } from '../../domain/ids.ts';
import { cursorNow } from '../../prisma/events/event-log.ts';
import { ensureSubscription, findSubscription } from '../../prisma/events/subscriptions.ts';
import { createLog } from '../../telemetry/logging.ts';
import { keepSubscriptionsRunning } from '../../worker/subscriptions.ts';
import { EVENTS_ONLY, subscribe, subscriberOf } from '../events/subscribers.ts';
import { eventually } from '../support/eventually.ts';
import { useRunningShop } from '../support/use-shop.ts';

/** As docs/failures.md says; the check every five seconds leaves room for a busy machine. */
const WITHIN_MS = 10_000;

const shop = useRunningShop(EVENTS_ONLY);

test('pumps that an operator ended run again within ten seconds, also behind one that cannot be started', async () => {
  const refused = 'x'.repeat(2_000);
  const names = ['a-ended', refused, 'z-ended'];
  for (const name of ['a-ended', 'z-ended']) {
    await subscribe(
      shop,
      subscriberOf(name, () => Promise.resolve()),
    );
  }
  await ensureSubscription(shop.db, {
    name: refused,
    types: [],
    cursor: await cursorNow(shop.db),
  });
  const { deliveries } = shop.services;
  const warned: string[] = [];
  const log = createLog('warn', { write: (line) => void warned.push(line) });
  const kept = keepSubscriptionsRunning({ db: shop.db, deliveries, subscribers: [], log });
  onTestFinished(() => kept.stop());
  const pumpOf = (name: string) =>
    shop.temporal.client.workflow.getHandle(subscriptionWorkflowId(name));
  for (const name of names) if (name !== refused) await pumpOf(name).terminate('by an operator');
  await eventually(
    async () => {
      for (const name of ['a-ended', 'z-ended']) {
        expect((await pumpOf(name).describe()).status.name).toBe('RUNNING');
      }
    },
    { timeoutMs: WITHIN_MS, everyMs: 200 },
  );
  await eventually(() => expect(warned.join()).toContain('start_subscriptions'));
});

test('a process that runs on does not take back the types that a newer version has set', async () => {
  const subscriber = {
    ...subscriberOf('extended', () => Promise.resolve()),
    types: ['order.placed'] as const,
  };
  const { deliveries } = shop.services;
  let checks = 0;
  const counted = {
    ...deliveries,
    ensureSubscriptionRuns: (name: string) => {
      if (name === subscriber.name) checks += 1;
      return deliveries.ensureSubscriptionRuns(name);
    },
  };
  const log = createLog('silent');
  const options = { db: shop.db, deliveries: counted, subscribers: [subscriber], log };
  const kept = keepSubscriptionsRunning(options);
  onTestFinished(() => kept.stop());
  await eventually(() => expect(checks).toBe(1));
  const types = ['order.placed', 'order.shipped'] as const;
  const cursor = await cursorNow(shop.db);
  await ensureSubscription(shop.db, { name: subscriber.name, types, cursor });
  await eventually(() => expect(checks).toBeGreaterThan(1));
  expect((await findSubscription(shop.db, subscriber.name))?.types).toEqual(types);
});
