/**
 * No step is retried without an end: an error that is no outage ends within minutes in
 * `needs_attention` with what failed, wherever it happens, and a decision leads out of it.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { Place } from '../../local/sandbox/faults.ts';
import type { EventType } from '../../domain/order.ts';
import { redrive } from '../../services/redrive.ts';
import { eventually } from '../support/eventually.ts';
import {
  attentionOf,
  deadLetterOf,
  expectCleanSlate,
  expectShipped,
} from '../support/expectations.ts';
import { acceptEvents, refuseEvents } from '../support/refused-events.ts';
import { orderIdOf } from '../support/running-shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';

const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
const CAPTURE = { provider: 'payments', operation: 'capture' } as const;

/** Each event of a checkout whose change fails, the fault that leads there, and the step that waits. */
const CHANGES: readonly {
  readonly type: EventType;
  readonly refused: Place | null;
  readonly step: string;
}[] = [
  { type: 'order.reserved', refused: null, step: 'reserveStock' },
  { type: 'order.paid', refused: null, step: 'capturePayment' },
  { type: 'order.shipment_requested', refused: null, step: 'shipOrder' },
  { type: 'order.shipped', refused: null, step: 'checkout' },
  { type: 'order.cancelling', refused: SHIP, step: 'checkout' },
  { type: 'order.stock_released', refused: SHIP, step: 'releaseStock' },
  { type: 'order.payment_voided', refused: CAPTURE, step: 'voidOrRefundPayment' },
  { type: 'order.payment_refunded', refused: SHIP, step: 'voidOrRefundPayment' },
  { type: 'order.cancelled', refused: SHIP, step: 'checkout' },
];
/** A text with NUL, a duplicate, a missing table, a bug of the server, an error of a trigger. */
const NO_OUTAGES = ['22021', '23505', '42P01', 'XX000', 'P0001'];
const OUTAGES = ['08006', '53300', '57P01', '40001', '40P01', '55P03'];

const shop = useSkippingShop();
afterEach(() => acceptEvents(shop.db));

describe('an error that is no outage', () => {
  test.each(CHANGES)(
    'a change to $type that the database refuses waits at $step within minutes, and a retry ends the order',
    async ({ type, refused, step }) => {
      if (refused) shop.sandbox.faults.set(refused, { mode: 'refuse' });
      await refuseEvents(shop.db, type, '22021');
      const handle = await shop.start();
      const orderId = orderIdOf(handle);
      await shop.temporal.env.sleep('10 minutes');
      await eventually(async () => expect(await attentionOf(shop, orderId)).toBe(step));
      const deadLetter = await deadLetterOf(shop, orderId);
      expect(deadLetter).toMatchObject({ subject: step, status: 'open' });
      expect(deadLetter?.error).toMatch(/^\w+: .*22021$/);
      await acceptEvents(shop.db);
      await retry(deadLetter?.id ?? '');
      await shop.checkoutOf(orderId).result();
      if (refused) await expectCleanSlate(shop, orderId);
      else await expectShipped(shop, orderId);
    },
  );

  test.each(NO_OUTAGES)('SQLSTATE %s is asked about, not retried for days', async (sqlstate) => {
    await refuseEvents(shop.db, 'order.paid', sqlstate);
    const orderId = orderIdOf(await shop.start());
    await shop.temporal.env.sleep('10 minutes');
    await eventually(async () => expect(await attentionOf(shop, orderId)).toBe('capturePayment'));
    expect((await deadLetterOf(shop, orderId))?.error).toContain(sqlstate);
  });
});

describe('an outage of the database', () => {
  test.each(OUTAGES)(
    'SQLSTATE %s is retried until it ends, and no person is asked',
    async (sqlstate) => {
      await refuseEvents(shop.db, 'order.paid', sqlstate);
      const handle = await shop.start();
      const orderId = orderIdOf(handle);
      await shop.temporal.env.sleep('1 hour');
      expect(await attentionOf(shop, orderId)).toBeNull();
      await acceptEvents(shop.db);
      expect((await handle.result()).status).toBe('shipped');
      await expectShipped(shop, orderId);
    },
  );
});

async function retry(deadLetterId: string): Promise<void> {
  const by = { apiKeyId: 'key_operator', correlationId: 'asked', name: 'operator' };
  await eventually(async () => {
    const outcome = await redrive(shop.services, deadLetterId, { action: 'retry', note: null, by });
    expect(outcome.kind).toBe('redriven');
  });
}
