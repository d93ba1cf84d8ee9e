import { afterEach, describe, expect, test, vi } from 'vitest';
import { ProviderRejection } from '../../gateways/resilience/outcome.ts';
import { findAttention } from '../../prisma/orders/step-attempts.ts';
import { eventually } from '../support/eventually.ts';
import {
  expectCleanSlate,
  expectCancelledBeforeExpiry,
  notificationsOf,
  viewOf,
} from '../support/expectations.ts';
import { orderIdOf } from '../support/running-shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';

const CAPTURE = { provider: 'payments', operation: 'capture' } as const;
const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;

const shop = useSkippingShop();
afterEach(() => vi.restoreAllMocks());

describe('an uncaptured authorization', () => {
  // A rejected capture fails at once; five days of retries are in test/faults/needs-attention.test.ts.
  test('an order whose failed capture gets no decision is cancelled before the authorization expires', async () => {
    const rejection = new ProviderRejection('payments', 'test');
    const capture = vi.spyOn(shop.gateways.payments, 'capture').mockRejectedValue(rejection);
    const handle = await shop.start();
    const orderId = orderIdOf(handle);
    await eventually(async () => {
      expect((await viewOf(handle)).status).toBe('needs_attention');
    });
    const attention = await findAttention(shop.db, orderId);
    const attempts = capture.mock.calls.length;
    expect(attention?.steps).toMatchObject([{ step: 'capturePayment', attempts }]);

    await expectCancelledBeforeExpiry(shop, handle);
  });

  test.each([CAPTURE, RESERVE])(
    'an order whose $operation keeps failing near the expiry is compensated and the customer is notified',
    async (place) => {
      shop.sandbox.faults.set(place, { mode: 'fail_before' });
      const handle = await shop.start();
      const orderId = orderIdOf(handle);
      const captureBefore = new Date(Date.now() + 3_600_000);
      await shop.db.payment.update({ where: { orderId }, data: { captureBefore } });
      expect(await handle.result()).toEqual({
        status: 'cancelled',
        reason: 'authorization_expiring',
      });
      await expectCleanSlate(shop, orderId);
      expect(notificationsOf(shop, orderId)).toEqual(['cancelled']);
    },
  );
});
