import { describe, expect, test } from 'vitest';
import { isMoving, sagaOf } from '../../api/console/saga.ts';
import { SAGA_ROWS } from '../../api/console/saga-rows.ts';
import { CHECKOUT_STEPS } from '../../domain/checkout-steps.ts';
import {
  order,
  TO_PAID,
  CONFIRMED,
  SHIPPED,
  MAILED,
  statesOf,
  stepOf,
  asked,
  retried,
} from './saga-sources.ts';

const NONE = 'not_needed';
const W = 'waiting/not_needed';

test('the picture has a row for every step of the checkout with its compensation, in their order', () => {
  const drawn = SAGA_ROWS.filter(({ step }) => step !== null);
  expect(drawn.map(({ step, compensation }) => [step, compensation.step])).toEqual(
    CHECKOUT_STEPS.map(({ name, compensation }) => [name, compensation.name]),
  );
});

describe('an order that goes forward', () => {
  test.each([
    [
      'is held and being authorized',
      order(['order.created'], { status: 'pending' }),
      ['done/waiting', 'running/not_needed', W, W, W, 'waiting'],
    ],
    [
      'is placed',
      order(['order.created', 'order.placed']),
      ['done/waiting', 'done/waiting', 'running/not_needed', W, W, 'waiting'],
    ],
    [
      'is reserved',
      order(TO_PAID.slice(0, 3), { status: 'reserved' }),
      ['done/waiting', 'done/waiting', 'done/waiting', 'running/not_needed', W, 'waiting'],
    ],
    [
      'is paid',
      order(TO_PAID, { status: 'paid' }),
      [
        'done/waiting',
        'done/not_needed',
        'done/waiting',
        'done/waiting',
        'running/not_needed',
        'running',
      ],
    ],
    [
      'waits for the warehouse',
      order([...TO_PAID, CONFIRMED, 'order.shipment_requested'], { status: 'paid' }),
      [
        'done/waiting',
        'done/not_needed',
        'done/waiting',
        'done/waiting',
        'waiting/waiting',
        'done',
      ],
    ],
    [
      'is shipped and its mail is under way',
      order(SHIPPED, { status: 'shipped' }),
      [
        'done/not_needed',
        'done/not_needed',
        'done/not_needed',
        'done/not_needed',
        'done/not_needed',
        'running',
      ],
    ],
    [
      'is shipped and notified',
      order([...SHIPPED, MAILED], { status: 'shipped' }),
      [
        'done/not_needed',
        'done/not_needed',
        'done/not_needed',
        'done/not_needed',
        'done/not_needed',
        'done',
      ],
    ],
  ])('an order that %s shows each step with its state', (_name, source, states) => {
    expect(statesOf(source)).toEqual(states);
  });

  test('an order that waits for the warehouse says so, and when the request was accepted', () => {
    const source = order([...TO_PAID, 'order.shipment_requested'], { status: 'paid' });
    expect(stepOf(source, 'Ship')).toMatchObject({
      waitsFor: "the warehouse's callback",
      afterMs: 40,
    });
  });

  test('a shipment that is held waits for the cases of the payment, and is requested afterwards', () => {
    const held = [...TO_PAID, 'order.shipment_held'] as const;
    expect(stepOf(order(held, { status: 'paid' }), 'Ship')).toMatchObject({
      state: 'waiting',
      afterMs: 40,
      waitsFor: 'the cases of the payment to close',
    });
    const requested = order([...held, 'order.shipment_requested'], { status: 'paid' });
    expect(stepOf(requested, 'Ship')?.waitsFor).toBe("the warehouse's callback");
  });

  test('a step that is retried shows its tries, its last error and its next try', () => {
    const source = order(['order.created', 'order.placed'], { trouble: retried('reserveStock') });
    expect(stepOf(source, 'Reserve')).toMatchObject({
      state: 'retrying',
      attempts: 4,
      failure: 'connection refused by the warehouse',
      nextAttemptAt: '2026-01-01T00:00:05.000Z',
    });
  });

  test('a shipment that is looked up and retried shows as retried, though it was requested', () => {
    const entries = [...TO_PAID, 'order.shipment_requested'] as const;
    const source = order(entries, { status: 'paid', trouble: retried('shipOrder') });
    expect(stepOf(source, 'Ship')?.state).toBe('retrying');
  });

  test('a step that waits for a person has failed, and says what it waits for', () => {
    const attention = asked('capturePayment');
    const entries = [...TO_PAID.slice(0, 3), 'order.needs_attention'] as const;
    const source = order(entries, { status: 'needs_attention', attention });
    expect(stepOf(source, 'Capture')).toMatchObject({
      state: 'failed',
      attempts: 3,
      failure: 'refused (insufficient_funds)',
      waitsFor: "a person's decision",
    });
    expect(stepOf(source, 'Ship')?.state).toBe('waiting');
  });

  test('a checkout whose workflow is gone shows its question at the step that is due', () => {
    const source = order([...TO_PAID, 'order.needs_attention'], {
      status: 'needs_attention',
      attention: asked('checkout'),
    });
    expect(stepOf(source, 'Ship')).toMatchObject({ state: 'failed', attempts: 3 });
    expect(stepOf(source, 'Capture')?.state).toBe('done');
  });

  test('a step that an operator settled manually is skipped, and the next one is due', () => {
    const skip = [
      'order.attention_resolved',
      { step: 'capturePayment', decision: 'skip', note: 'n', actor: 'a' },
    ] as const;
    const entries = [...TO_PAID.slice(0, 3), 'order.needs_attention', skip] as const;
    const source = order(entries, { status: 'paid' });
    expect(stepOf(source, 'Capture')?.state).toBe('skipped');
    expect(stepOf(source, 'Ship')?.state).toBe('running');
  });
});

describe('an order that goes backward', () => {
  const CANCELLING = ['order.cancelling', { reason: 'shipping_refused' }] as const;
  const REFUSED = [...TO_PAID, CONFIRMED, 'order.shipment_requested', CANCELLING] as const;

  test('a refused shipment failed, and what was done is being compensated', () => {
    const source = order(REFUSED, { status: 'cancelling', cancel_reason: 'shipping_refused' });
    expect(statesOf(source)).toEqual([
      'done/running',
      `done/${NONE}`,
      'done/running',
      'done/running',
      `failed/${NONE}`,
      'done',
    ]);
    expect(stepOf(source, 'Ship')?.failure).toBe('refused by the warehouse');
  });

  test('a compensated order shows each compensation with its time', () => {
    const entries = [
      ...REFUSED,
      'order.payment_refunded',
      'order.stock_released',
      'order.cancelled',
      ['order.customer_notified', { notification: 'cancelled' }],
    ] as const;
    const source = order(entries, { status: 'cancelled', cancel_reason: 'shipping_refused' });
    expect(statesOf(source)).toEqual([
      'done/compensated',
      `done/${NONE}`,
      'done/compensated',
      'done/compensated',
      `failed/${NONE}`,
      'done',
    ]);
    expect(stepOf(source, 'Capture')?.compensation?.afterMs).toBe(70);
    expect(isMoving(source.status, sagaOf(source))).toBe(false);
  });

  test('an order whose last compensation is committed is followed until it is cancelled', () => {
    const entries = [
      ...REFUSED,
      CONFIRMED,
      'order.stock_released',
      'order.payment_refunded',
    ] as const;
    const source = order(entries, { status: 'cancelling', cancel_reason: 'shipping_refused' });
    expect(statesOf(source).join()).not.toMatch(/running|retrying/);
    expect(isMoving(source.status, sagaOf(source))).toBe(true);
  });

  test('a cancel before the capture voids the authorization and refunds nothing', () => {
    const entries = [
      ...TO_PAID.slice(0, 3),
      ['order.cancelling', { reason: 'requested_by_customer' }],
      'order.stock_released',
      'order.payment_voided',
      'order.cancelled',
    ] as const;
    const source = order(entries, { status: 'cancelled', cancel_reason: 'requested_by_customer' });
    expect(statesOf(source)).toEqual([
      'done/compensated',
      'done/compensated',
      'done/compensated',
      `${NONE}/${NONE}`,
      `${NONE}/${NONE}`,
      'running',
    ]);
  });

  test('a cancel of a requested shipment calls the parcel back', () => {
    const entries = [
      ...TO_PAID,
      'order.shipment_requested',
      ['order.cancelling', { reason: 'requested_by_operator' }],
    ] as const;
    const running = order(entries, {
      status: 'cancelling',
      cancel_reason: 'requested_by_operator',
    });
    expect(stepOf(running, 'Ship')?.compensation?.state).toBe('running');
    const done = order([...entries, 'order.shipment_cancelled'], {
      status: 'cancelling',
      cancel_reason: 'requested_by_operator',
    });
    expect(stepOf(done, 'Ship')?.compensation?.state).toBe('compensated');
  });

  test('a compensation that is retried, or waits for a person, says so below its step', () => {
    const changes = { status: 'cancelling', cancel_reason: 'shipping_refused' } as const;
    const retrying = order(REFUSED, { ...changes, trouble: retried('releaseStock') });
    expect(stepOf(retrying, 'Reserve')?.compensation).toMatchObject({
      state: 'retrying',
      attempts: 4,
    });
    const stuck = order([...REFUSED, 'order.needs_attention'], {
      ...changes,
      status: 'needs_attention',
      attention: asked('voidOrRefundPayment'),
    });
    expect(stepOf(stuck, 'Capture')?.compensation).toMatchObject({
      state: 'failed',
      waitsFor: "a person's decision",
    });
    expect(stepOf(stuck, 'Authorize')?.compensation?.state).toBe(NONE);
  });

  test('a compensation that an operator settled manually is skipped', () => {
    const skip = [
      'order.attention_resolved',
      { step: 'voidOrRefundPayment', decision: 'skip', note: 'n', actor: 'a' },
    ] as const;
    const source = order([...REFUSED, 'order.needs_attention', skip, 'order.cancelled'], {
      status: 'cancelled',
      cancel_reason: 'shipping_refused',
    });
    expect(stepOf(source, 'Capture')?.compensation?.state).toBe('skipped');
  });

  test('a warehouse that refuses the reservation fails that step and none after it', () => {
    const entries = [
      'order.created',
      'order.placed',
      ['order.cancelling', { reason: 'warehouse_refused' }],
    ] as const;
    const source = order(entries, { status: 'cancelling', cancel_reason: 'warehouse_refused' });
    expect(statesOf(source).slice(2, 5)).toEqual([
      `failed/${NONE}`,
      `${NONE}/${NONE}`,
      `${NONE}/${NONE}`,
    ]);
    expect(stepOf(source, 'Authorize')?.compensation?.state).toBe('running');
  });

  test('a step whose retry budget is used up has failed with those words', () => {
    const entries = [
      'order.created',
      'order.placed',
      ['order.cancelling', { reason: 'deadline_passed' }],
    ] as const;
    const source = order(entries, { status: 'cancelling', cancel_reason: 'deadline_passed' });
    expect(stepOf(source, 'Reserve')).toMatchObject({
      state: 'failed',
      failure: 'its retry budget is used up',
    });
  });

  test('an order that was shipped though a cancel had begun went forward', () => {
    const source = order([...REFUSED.slice(0, -1), CANCELLING, 'order.shipped'], {
      status: 'shipped',
      cancel_reason: 'requested_by_operator',
    });
    expect(stepOf(source, 'Ship')).toMatchObject({ state: 'done', compensation: { state: NONE } });
  });
});

describe('the notification', () => {
  test('a mail that is retried, or failed for good, says so', () => {
    const source = order(TO_PAID, { status: 'paid', trouble: retried('notify: confirmed') });
    expect(stepOf(source, 'Notify')).toMatchObject({ state: 'retrying', attempts: 4 });
    const failed = [
      'order.notification_failed',
      { notification: 'confirmed', failure: 'mail: refused' },
    ] as const;
    expect(stepOf(order([...TO_PAID, failed], { status: 'paid' }), 'Notify')).toMatchObject({
      state: 'failed',
      failure: 'mail: refused',
    });
  });
});
