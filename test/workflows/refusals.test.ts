import { expect, test } from 'vitest';
import type { Place } from '../../local/sandbox/faults.ts';
import { orderIdOf } from '../support/bench.ts';
import { describeCheckout } from '../support/checkout-suite.ts';
import { effectsOf, eventTypesOf, expectCleanSlate, noticesOf } from '../support/expectations.ts';

/** Every step that may be refused, what it costs, and what has to be undone for it. */
const REFUSALS: readonly {
  readonly place: Place;
  readonly reason: string;
  readonly undone: Readonly<Record<string, number>>;
}[] = [
  {
    place: { provider: 'warehouse', operation: 'reserve' },
    reason: 'warehouse_refused',
    undone: { authorize: 1, void: 1 },
  },
  {
    place: { provider: 'payments', operation: 'capture' },
    reason: 'payment_refused',
    undone: { authorize: 1, void: 1, reserve: 1, release: 1 },
  },
  {
    place: { provider: 'warehouse', operation: 'ship' },
    reason: 'shipping_refused',
    undone: { authorize: 1, capture: 1, refund: 1, reserve: 1, release: 1 },
  },
];

describeCheckout('a refused step', (suite) => {
  test.each(REFUSALS)(
    'an order whose $place.operation is refused is undone once and the customer is notified',
    async ({ place, reason, undone }) => {
      const { bench } = suite;
      bench.sandbox.faults.set(place, { mode: 'refuse' });
      const handle = await bench.start();
      expect(await handle.result()).toEqual({ status: 'cancelled', reason });
      const orderId = orderIdOf(handle);
      await expectCleanSlate(bench, orderId);
      expect(effectsOf(bench, orderId)).toEqual(undone);
      expect(noticesOf(bench, orderId).at(-1)).toBe('cancelled');
      expect(bench.sandbox.faults.list()[0]?.fired).toBeGreaterThan(0);
    },
  );

  test('an order whose shipping is refused by the callback is refunded, released and cancelled in that order', async () => {
    const { bench } = suite;
    const place = { provider: 'warehouse', operation: 'callback' } as const;
    bench.sandbox.faults.set(place, { mode: 'refuse' });
    const handle = await bench.start();
    expect(await handle.result()).toEqual({ status: 'cancelled', reason: 'shipping_refused' });
    const orderId = orderIdOf(handle);
    expect((await eventTypesOf(bench, orderId)).filter(isUndo)).toEqual([
      'order.cancelling',
      'order.payment_refunded',
      'order.stock_released',
      'order.cancelled',
    ]);
  });
});

function isUndo(type: string): boolean {
  return /cancel|refunded|voided|released/.test(type);
}
