import { expect } from 'vitest';
import { statusQuery } from '../../workflows/checkout/contract.ts';
import { expectShipped } from '../support/expectations.ts';
import { orderIdOf } from '../support/running-shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { test } from './matrix-case.ts';

const LOOK_UP = { provider: 'warehouse', operation: 'lookup' } as const;

const shop = useSkippingShop();
test('[CB/F6] an order without a shipment signal stays paid while look-ups fail and ships once one succeeds', async (proof) => {
  const { env } = shop.temporal;
  shop.sandbox.faults.set(LOOK_UP, { mode: 'fail_before' });
  const handle = await shop.start();
  await env.sleep('3 hours');
  expect((await handle.query(statusQuery)).status).toBe('paid');
  proof.firedAll(shop.sandbox.faults);
  shop.sandbox.faults.clear();
  expect((await handle.result()).status).toBe('shipped');
  await expectShipped(shop, orderIdOf(handle));
});
