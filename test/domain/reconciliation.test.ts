import { describe, expect, test } from 'vitest';
import {
  compareShipment,
  comparePayment,
  type OurShipment,
  type OurPayment,
  type TheirShipment,
  type TheirPayment,
} from '../../domain/reconciliation.ts';

const OURS: OurPayment = {
  orderId: 'ord_1',
  reference: 'pi_1',
  status: 'captured',
  amountMinor: 2_400,
  capturedMinor: 2_400,
  refundedMinor: 0,
  pendingRefundMinor: 0,
  currency: 'EUR',
  capturedManually: false,
  inFlight: false,
};
const THEIRS: TheirPayment = {
  reference: 'pi_1',
  orderId: 'ord_1',
  state: 'captured',
  amountMinor: 2_400,
  capturedMinor: 2_400,
  refundedMinor: 0,
  currency: 'EUR',
};
const UNTAKEN = { capturedMinor: 0 };
const MANUAL = { status: 'authorized', capturedManually: true, ...UNTAKEN } as const;

describe('a payment', () => {
  test.each<[string, Partial<OurPayment>, Partial<TheirPayment>]>([
    ['captured on both sides', {}, {}],
    ['held', { status: 'authorized', ...UNTAKEN }, { state: 'authorized', ...UNTAKEN }],
    ['voided', { status: 'voided', ...UNTAKEN }, { state: 'voided', ...UNTAKEN }],
    ['declined', { status: 'declined', ...UNTAKEN }, { state: 'declined', ...UNTAKEN }],
    ['refunded', { status: 'refunded', refundedMinor: 2_400 }, { refundedMinor: 2_400 }],
    ['refunded in part', { status: 'partially_refunded', refundedMinor: 9 }, { refundedMinor: 9 }],
    ['captured manually at the provider', MANUAL, {}],
    ['refunded manually', MANUAL, { refundedMinor: 2_400 }],
    ['in flight', { inFlight: true, status: 'authorized', ...UNTAKEN }, {}],
  ])('a payment %s produces no discrepancy', (_name, ours, theirs) => {
    expect(comparePayment({ ...OURS, ...ours }, { ...THEIRS, ...theirs })).toBeNull();
  });

  test.each<[string, Partial<OurPayment>, Partial<TheirPayment>]>([
    ['payment_state', { status: 'authorized', ...UNTAKEN }, {}],
    ['payment_state', MANUAL, { state: 'authorized', ...UNTAKEN }],
    ['payment_state', MANUAL, { state: 'voided', ...UNTAKEN }],
    ['payment_state', { status: 'voided', ...UNTAKEN }, { state: 'authorized', ...UNTAKEN }],
    ['payment_state', { status: 'declined', ...UNTAKEN }, { state: 'authorized', ...UNTAKEN }],
    ['payment_amount', {}, { amountMinor: 2_401 }],
    ['payment_amount', {}, { currency: 'USD' }],
    ['captured_amount', {}, { capturedMinor: 2_399 }],
    ['refunded_amount', {}, { refundedMinor: 1 }],
    ['refunded_amount', { status: 'refunded', refundedMinor: 2_400 }, {}],
    ['second_payment', { reference: 'pi_2' }, {}],
  ])('payment mismatch %# is reported as %s', (kind, ours, theirs) => {
    const found = comparePayment({ ...OURS, ...ours }, { ...THEIRS, ...theirs });
    expect(found).toMatchObject({ kind, subject: 'pi_1' });
  });

  test('a payment missing on one side is reported only when money is at stake', () => {
    expect(comparePayment(null, THEIRS)?.kind).toBe('charge_without_order');
    expect(comparePayment(null, { ...THEIRS, state: 'declined', ...UNTAKEN })).toBeNull();
    expect(comparePayment(null, { ...THEIRS, refundedMinor: 2_400 })).toBeNull();
    expect(comparePayment(OURS, null)?.kind).toBe('payment_missing');
    expect(comparePayment({ ...OURS, reference: null, status: 'declined' }, null)).toBeNull();
  });
});

const OUR_GOODS: OurShipment = {
  orderId: 'ord_1',
  reservation: 'shipped',
  lines: ['mug-white x 2'],
  shipment: 'shipped',
  isManual: false,
  inProgress: false,
  inFlight: false,
};
const THEIR_GOODS: TheirShipment = {
  orderId: 'ord_1',
  reservation: 'reserved',
  lines: ['mug-white x 2'],
  shipment: 'shipped',
};
const UNSENT = { shipment: null };

describe('goods', () => {
  test.each<[string, Partial<OurShipment>, Partial<TheirShipment>]>([
    ['shipped on both sides', {}, {}],
    ['reserved', { reservation: 'reserved', inProgress: true, ...UNSENT }, UNSENT],
    ['requested', { reservation: 'held', inProgress: true, ...UNSENT }, UNSENT],
    ['released', { reservation: 'released', ...UNSENT }, { reservation: 'released', ...UNSENT }],
    ['shipped manually', { isManual: true }, UNSENT],
    ['in flight', { inFlight: true, reservation: 'released' }, {}],
  ])('goods %s produce no discrepancy', (_name, ours, theirs) => {
    expect(compareShipment({ ...OUR_GOODS, ...ours }, { ...THEIR_GOODS, ...theirs })).toBeNull();
  });

  test.each<[string, Partial<OurShipment>, Partial<TheirShipment>]>([
    ['reservation', { reservation: 'reserved', inProgress: true }, { reservation: 'released' }],
    ['reservation', { reservation: 'released', ...UNSENT }, UNSENT],
    ['reserved_lines', {}, { lines: ['mug-white x 3'] }],
    ['shipment', {}, UNSENT],
    ['shipment', { shipment: 'cancelled' }, {}],
  ])('goods mismatch %# is reported as %s', (kind, ours, theirs) => {
    const found = compareShipment({ ...OUR_GOODS, ...ours }, { ...THEIR_GOODS, ...theirs });
    expect(found).toMatchObject({ kind, subject: 'ord_1' });
  });

  test('goods missing on one side are reported unless they were released', () => {
    expect(compareShipment(null, THEIR_GOODS)?.kind).toBe('reservation_without_order');
    expect(compareShipment(null, { ...THEIR_GOODS, reservation: 'released' })).toBeNull();
    expect(compareShipment(OUR_GOODS, null)?.kind).toBe('reservation');
    expect(compareShipment({ ...OUR_GOODS, reservation: 'released', ...UNSENT }, null)).toBeNull();
  });
});
