import { expect, test } from 'vitest';
import { HOLD_LASTS_MS } from '../../domain/attention.ts';
import { findAttention } from '../../prisma/attention.ts';
import { listDeadLetters } from '../../prisma/dead-letters.ts';
import { statusQuery } from '../../workflows/contract.ts';
import { orderIdOf } from '../support/bench.ts';
import { describeCheckout } from '../support/checkout-suite.ts';
import { eventually } from '../support/eventually.ts';
import { expectCleanSlate, noticesOf } from '../support/expectations.ts';
import { letDaysPass } from '../support/temporal.ts';

const CAPTURE = { provider: 'payments', operation: 'capture' } as const;
const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;

describeCheckout('an uncaptured authorization', (suite) => {
  test('an order whose failed capture gets no decision is cancelled before the authorization expires', async () => {
    const { bench, env } = suite;
    bench.sandbox.faults.set(CAPTURE, { mode: 'fail_before' });
    const handle = await bench.start();
    const orderId = orderIdOf(handle);
    await letDaysPass(env, 6);
    await eventually(async () => {
      expect((await handle.query(statusQuery)).status).toBe('needs_attention');
    });
    const attention = await findAttention(bench.db, orderId);
    const [fault] = bench.sandbox.faults.list();
    expect(attention?.steps).toMatchObject([{ step: 'capturePayment' }]);
    // Five days of tries. A count the database did not take is given up, so a few may be missing.
    expect(fault?.fired).toBeGreaterThan(100);
    expect(attention?.steps[0]?.attempts).toBeGreaterThan((fault?.fired ?? 0) - 5);

    expect(await handle.result()).toEqual({
      status: 'cancelled',
      reason: 'authorization_expiring',
    });
    const { startTime, closeTime } = await handle.describe();
    const tookMs = (closeTime?.getTime() ?? Infinity) - startTime.getTime();
    expect(tookMs).toBeLessThan(HOLD_LASTS_MS);
    await expectCleanSlate(bench, orderId);
    expect(noticesOf(bench, orderId)).toEqual(['cancelled']);
    const { letters } = await listDeadLetters(bench.db, { orderId }, { limit: 10 });
    expect(letters).toMatchObject([{ subject: 'capturePayment', status: 'resolved' }]);
  }, 240_000);

  test.each([CAPTURE, RESERVE])(
    'an order whose $operation keeps failing near the expiry is undone and the customer is notified',
    async (place) => {
      const { bench } = suite;
      bench.sandbox.faults.set(place, { mode: 'fail_before' });
      const handle = await bench.start();
      const orderId = orderIdOf(handle);
      const captureBefore = new Date(Date.now() + 3_600_000);
      await bench.db.payment.update({ where: { orderId }, data: { captureBefore } });
      expect(await handle.result()).toEqual({
        status: 'cancelled',
        reason: 'authorization_expiring',
      });
      await expectCleanSlate(bench, orderId);
      expect(noticesOf(bench, orderId)).toEqual(['cancelled']);
    },
  );
});
