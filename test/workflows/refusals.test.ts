import { describe, expect, test } from 'vitest';
import type { Place } from '../../local/sandbox/faults.ts';
import {
  effectsOf,
  eventTypesOf,
  expectCleanSlate,
  notificationsOf,
} from '../support/expectations.ts';
import { orderIdOf } from '../support/running-shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';

/** Every step that may be refused, the cancel reason, and the effects after compensation. */
const REFUSALS: readonly {
  readonly place: Place;
  readonly reason: string;
  readonly effects: Readonly<Record<string, number>>;
}[] = [
  {
    place: { provider: 'warehouse', operation: 'reserve' },
    reason: 'warehouse_refused',
    effects: { authorize: 1, void: 1 },
  },
  {
    place: { provider: 'payments', operation: 'capture' },
    reason: 'payment_refused',
    effects: { authorize: 1, void: 1, reserve: 1, release: 1 },
  },
  {
    place: { provider: 'warehouse', operation: 'ship' },
    reason: 'shipping_refused',
    effects: { authorize: 1, capture: 1, refund: 1, reserve: 1, release: 1 },
  },
];

const shop = useSkippingShop();

describe('a refused step', () => {
  test.each(REFUSALS)(
    'an order whose $place.operation is refused is compensated once and the customer is notified',
    async ({ place, reason, effects }) => {
      shop.sandbox.faults.set(place, { mode: 'refuse' });
      const handle = await shop.start();
      expect(await handle.result()).toEqual({ status: 'cancelled', reason });
      const orderId = orderIdOf(handle);
      await expectCleanSlate(shop, orderId);
      expect(effectsOf(shop, orderId)).toEqual(effects);
      expect(notificationsOf(shop, orderId).at(-1)).toBe('cancelled');
      expect(shop.sandbox.faults.list()[0]?.fired).toBeGreaterThan(0);
    },
  );

  test('an order whose shipping is refused by the callback is refunded, released and cancelled in that order', async () => {
    const place = { provider: 'warehouse', operation: 'callback' } as const;
    shop.sandbox.faults.set(place, { mode: 'refuse' });
    const handle = await shop.start();
    expect(await handle.result()).toEqual({ status: 'cancelled', reason: 'shipping_refused' });
    const orderId = orderIdOf(handle);
    expect((await eventTypesOf(shop, orderId)).filter(isCompensation)).toEqual([
      'order.cancelling',
      'order.payment_refunded',
      'order.stock_released',
      'order.cancelled',
    ]);
  });
});

function isCompensation(type: string): boolean {
  return /cancel|refunded|voided|released/.test(type);
}
