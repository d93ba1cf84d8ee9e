/** The scenario of an order whose payment is reviewed and disputed. The process may be killed anywhere in it. */
import { expect } from 'vitest';
import type { OrderId } from '../../../domain/ids.ts';
import { atProvider } from '../../support/cases.ts';
import { effectsOf } from '../../support/expectations.ts';
import { withWebhooks } from './challenged.ts';
import { withCredit } from './client.ts';
import { placeUntilSettled, untilEvent, untilStatus } from './outcomes.ts';
import type { TestStack } from './test-stack.ts';

const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;

/** Held for a review, shipped once that is approved, disputed and lost. */
export function disputed(stack: TestStack): Promise<OrderId> {
  return withWebhooks(stack, async () => {
    stack.sandbox.faults.set(RESERVE, { mode: 'fail_before' });
    const orderId = await placeUntilSettled(stack, withCredit());
    const { providerReference } = await stack.db.payment.findUniqueOrThrow({ where: { orderId } });
    const named = { payment_intent: providerReference };
    const { id: review } = await atProvider(stack, '/payments/reviews', named);
    await untilEvent(stack, orderId, 'payment.review_opened');
    stack.sandbox.faults.remove(RESERVE);
    await untilEvent(stack, orderId, 'order.shipment_held');
    await atProvider(stack, `/payments/reviews/${review}/approve`);
    await untilStatus(stack, orderId, 'shipped');
    const { id: dispute } = await atProvider(stack, '/payments/disputes', named);
    await untilEvent(stack, orderId, 'payment.disputed');
    await atProvider(stack, `/payments/disputes/${dispute}/close`, { status: 'lost' });
    await untilEvent(stack, orderId, 'payment.dispute_closed');
    const shipped = { authorize: 1, capture: 1, reserve: 1, ship: 1 };
    expect(effectsOf(stack, orderId)).toEqual({ ...shipped, dispute: 1 });
    return orderId;
  });
}
