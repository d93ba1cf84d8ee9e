import { expect, test } from 'vitest';
import type { FaultSpec } from '../../local/sandbox/faults.ts';
import { notificationKey } from '../../domain/ids.ts';
import { eventually } from '../support/eventually.ts';
import { orderIdOf } from '../support/running-shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';

const CALL_MS = 2_000;
const shop = useSkippingShop({ deadlines: { callMs: CALL_MS } });

test.each<FaultSpec>([{ mode: 'answer_lost' }, { mode: 'late', latency_ms: 2 * CALL_MS }])(
  'a mail that the server takes and does not confirm ($mode) reaches the customer at most three times in a day, and a person is asked',
  async (fault) => {
    shop.sandbox.faults.set({ provider: 'mail', operation: 'send' }, fault);
    const handle = await shop.start();
    const orderId = orderIdOf(handle);
    expect((await handle.result()).status).toBe('shipped');
    await shop.temporal.env.sleep('1 day');
    await eventually(async () => {
      const where = { orderId, type: 'order.notification_failed' };
      expect(await shop.db.event.count({ where })).toBeGreaterThan(0);
      expect(await shop.db.deadLetter.count({ where: { orderId, status: 'open' } })).toBe(2);
    });
    for (const notification of ['confirmed', 'shipped'] as const) {
      const sent = shop.sandbox.ledgers.mail
        .effects()
        .filter(({ key }) => key === notificationKey(orderId, notification));
      expect(sent.length).toBeGreaterThan(0);
      expect(sent.length).toBeLessThanOrEqual(3);
    }
  },
);
