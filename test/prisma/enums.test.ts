import { describe, expect, expectTypeOf, test } from 'vitest';
import type { CreditEntryKind } from '../../domain/credit.ts';
import type { AdjustmentKind, CancelReason, OrderStatus } from '../../domain/order.ts';
import type { PaymentStatus } from '../../domain/payment.ts';
import type { ReservationStatus } from '../../domain/order.ts';
import type { ShipmentStatus } from '../../domain/shipment.ts';
import type { DiscrepancyKind } from '../../domain/reconciliation.ts';
import type { RefundCause, RefundStatus } from '../../domain/refund.ts';
import type { WebhookAttempt, WebhookEndpoint } from '../../domain/webhook.ts';
import * as enums from '../../prisma/generated/enums.ts';
import { useSeededDatabase } from './seeded-database.ts';

/** A closed set is written three times: in the domain, in the Prisma schema and in the migrations. */
const shop = useSeededDatabase();

describe('enums', () => {
  // The compiler checks these: tsc fails when a set of the domain differs from the schema's.
  test('the schema and the domain have the same values', () => {
    expectTypeOf<enums.CreditEntryKind>().toEqualTypeOf<CreditEntryKind>();
    expectTypeOf<enums.OrderStatus>().toEqualTypeOf<OrderStatus>();
    expectTypeOf<enums.AdjustmentKind>().toEqualTypeOf<AdjustmentKind>();
    expectTypeOf<enums.CancelReason>().toEqualTypeOf<CancelReason>();
    expectTypeOf<enums.ReservationStatus>().toEqualTypeOf<ReservationStatus>();
    expectTypeOf<enums.PaymentStatus>().toEqualTypeOf<PaymentStatus>();
    expectTypeOf<enums.RefundCause>().toEqualTypeOf<RefundCause>();
    expectTypeOf<enums.RefundStatus>().toEqualTypeOf<RefundStatus>();
    expectTypeOf<enums.ShipmentStatus>().toEqualTypeOf<ShipmentStatus>();
    expectTypeOf<enums.WebhookEndpointStatus>().toEqualTypeOf<WebhookEndpoint['status']>();
    expectTypeOf<enums.WebhookAttemptOutcome>().toEqualTypeOf<WebhookAttempt['outcome']>();
    expectTypeOf<enums.DiscrepancyKind>().toEqualTypeOf<DiscrepancyKind>();
  });

  test('the migrated database has the values of the schema, in the same order', async () => {
    const types = await shop.db.$queryRaw<{ name: string; values: string[] }[]>`
      SELECT t.typname AS name, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS values
      FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname`;
    const migrated = Object.fromEntries(types.map(({ name, values }) => [name, values]));
    const inSchema = Object.entries(enums).map(([name, values]) => [
      name.replaceAll(/(?<!^)[A-Z]/g, '_$&').toLowerCase(),
      Object.values(values),
    ]);
    expect(migrated).toEqual(Object.fromEntries(inSchema));
  });
});
