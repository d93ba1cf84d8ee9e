import { describe, expect, test } from 'vitest';
import { isMoving, sagaOf } from '../../api/console/saga.ts';
import { CREATED, order, statesOf, stepOf } from './saga-sources.ts';

const NONE = 'not_needed';

describe('an order that never became a checkout', () => {
  test('a declined card fails the authorization, and the units are free again', () => {
    const payment = {
      status: 'declined' as const,
      amount_minor: 100,
      captured_minor: 0,
      refunded_minor: 0,
      credited_minor: 0,
      currency: 'EUR',
      decline_code: 'insufficient_funds',
      action_expires_at: null,
      disputed_minor: 0,
      cases: [],
    };
    const source = order(['order.created', 'order.declined'], { status: 'declined', payment });
    expect(statesOf(source)).toEqual([
      'done/compensated',
      `failed/${NONE}`,
      `${NONE}/${NONE}`,
      `${NONE}/${NONE}`,
      `${NONE}/${NONE}`,
      NONE,
    ]);
    expect(stepOf(source, 'Authorize')?.failure).toBe('declined: insufficient funds');
  });

  test('a payment that the shopper has to confirm waits for them, and is voided when they do not', () => {
    const events = ['order.created', 'order.payment_action_required'] as const;
    const payment = {
      status: 'requires_action' as const,
      amount_minor: 100,
      captured_minor: 0,
      refunded_minor: 0,
      credited_minor: 0,
      currency: 'EUR',
      decline_code: null,
      action_expires_at: new Date(CREATED + 900_000).toISOString(),
      disputed_minor: 0,
      cases: [],
    };
    const waiting = order(events, { status: 'pending', payment });
    expect(stepOf(waiting, 'Authorize')).toMatchObject({
      state: 'waiting',
      afterMs: 10,
      waitsFor: 'the shopper at the bank',
      compensation: { state: 'waiting' },
    });
    expect(isMoving(waiting.status, sagaOf(waiting))).toBe(true);
    const expired = order([...events, 'order.expired'], { status: 'expired' });
    expect(stepOf(expired, 'Authorize')).toMatchObject({
      state: 'failed',
      failure: 'not confirmed in time',
      compensation: { state: 'compensated' },
    });
  });

  test('an order that expired got no answer in time', () => {
    const source = order(['order.created', 'order.expired'], { status: 'expired' });
    expect(stepOf(source, 'Authorize')?.failure).toBe('no answer in time');
    expect(isMoving(source.status, sagaOf(source))).toBe(false);
  });
});
