import { afterEach, expect, test, vi } from 'vitest';
import { cancelUpdate, lookUpShipmentSignal } from '../../workflows/checkout/contract.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, eventTypesOf, expectCleanSlate } from '../support/expectations.ts';
import { orderIdOf } from '../support/running-shop.ts';
import { update } from '../support/updates.ts';
import { useRunningShop } from '../support/use-shop.ts';

const CANCEL = { provider: 'warehouse', operation: 'cancel' } as const;

// Longer than a test: no parcel leaves.
const shop = useRunningShop({ callbackDelayMs: 600_000 });
afterEach(() => vi.restoreAllMocks());

test('a cancel that took effect at the warehouse is accepted, also when a look-up sees it first', async () => {
  const handle = await shop.start();
  const orderId = orderIdOf(handle);
  await eventually(async () =>
    expect(await eventTypesOf(shop, orderId)).toContain('order.shipment_requested'),
  );
  shop.sandbox.faults.set(CANCEL, { mode: 'answer_lost' });
  const arg = { reason: 'requested_by_customer', actor: 'shop' } as const;
  const cancelled = update(handle, { definition: cancelUpdate, arg });
  await eventually(() => expect(effectsOf(shop, orderId)['cancel']).toBe(1));
  const lookUp = vi.spyOn(shop.gateways.warehouse, 'lookUpShipment');
  await handle.signal(lookUpShipmentSignal);
  await eventually(() => expect(lookUp).toHaveResolved());
  shop.sandbox.faults.clear();
  expect((await cancelled).pendingCompensations).toContain('cancelShipment');
  expect(await handle.result()).toEqual({ status: 'cancelled', reason: 'requested_by_customer' });
  await expectCleanSlate(shop, orderId);
});
