import { describe, expect, test } from 'vitest';
import { findAttention } from '../../prisma/orders/step-attempts.ts';
import { statusQuery } from '../../workflows/checkout/contract.ts';
import { CAPTURE, COMPENSATIONS } from '../support/compensations.ts';
import { eventually } from '../support/eventually.ts';
import {
  attentionOf,
  effectsOf,
  expectCleanSlate,
  expectShipped,
  deadLetterOf,
  expectCancelledBeforeExpiry,
} from '../support/expectations.ts';
import { orderIdOf, type CheckoutHandle } from '../support/running-shop.ts';
import { skipDays } from '../support/temporal.ts';
import { resolve } from '../support/updates.ts';
import { useSkippingShop } from '../support/use-shop.ts';

const shop = useSkippingShop();

/**
 * Until the last attempt: a day for a compensation, five for a capture. What happens after that, for
 * every step and decision, is in test/workflows/needs-attention.test.ts.
 */
describe('a step whose tries are used up', () => {
  test.each(COMPENSATIONS)(
    'a compensation by $failing.operation that fails for a day does not stop the others, needs attention and succeeds on retry',
    async ({ step, failing, cause, stillDone }) => {
      shop.sandbox.faults.set(cause, { mode: 'refuse' });
      shop.sandbox.faults.set(failing, { mode: 'fail_before' });
      const handle = await untilNeedsAttention(2);
      const orderId = orderIdOf(handle);
      expect(effectsOf(shop, orderId)[stillDone]).toBe(1);
      expect(await attentionOf(shop, orderId)).toBe(step);
      expect(await deadLetterOf(shop, orderId)).toMatchObject({ subject: step, status: 'open' });
      shop.sandbox.faults.clear();
      await resolve(handle, { step, decision: 'retry' });
      expect((await handle.result()).status).toBe('cancelled');
      await expectCleanSlate(shop, orderId);
      expect((await deadLetterOf(shop, orderId))?.status).toBe('resolved');
    },
  );

  test('an order whose capture failed for five days ships after an operator retries it', async () => {
    shop.sandbox.faults.set(CAPTURE, { mode: 'down' });
    const handle = await untilNeedsAttention(6);
    shop.sandbox.faults.clear();
    await resolve(handle, { step: 'capturePayment', decision: 'retry' });
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(shop, orderIdOf(handle));
  });

  test('an order whose capture failed for five days is cancelled before the authorization expires', async () => {
    shop.sandbox.faults.set(CAPTURE, { mode: 'fail_before' });
    const handle = await untilNeedsAttention(6);
    const orderId = orderIdOf(handle);
    const attention = await findAttention(shop.db, orderId);
    const [fault] = shop.sandbox.faults.list();
    expect(attention?.steps).toMatchObject([{ step: 'capturePayment' }]);
    // Five days of tries. A count the database did not take is given up, so a few may be missing.
    expect(fault?.fired).toBeGreaterThan(100);
    expect(attention?.steps[0]?.attempts).toBeGreaterThan((fault?.fired ?? 0) - 5);

    await expectCancelledBeforeExpiry(shop, handle);
  });
});

/** Starts an order and lets time pass until it needs attention. */
async function untilNeedsAttention(days: number): Promise<CheckoutHandle> {
  const handle = await shop.start();
  await skipDays(shop.temporal.env, days);
  await eventually(async () => {
    expect((await handle.query(statusQuery)).status).toBe('needs_attention');
  });
  return handle;
}
