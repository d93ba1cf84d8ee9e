import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createExpiryNotifierSubscriber } from '../../../activities/events/subscribers/expiry-notifier.ts';
import type { OrderId } from '../../../domain/ids.ts';
import { newId } from '../../../prisma/client/ids.ts';
import { LOG_START, type LoggedEvent } from '../../../prisma/events/event-log.ts';
import { NEVER } from './history.ts';

function setUp({ notifyExpired = true, refuses = (id: OrderId): boolean => id === '' } = {}) {
  const started: string[] = [];
  const subscriber = createExpiryNotifierSubscriber({
    notifyExpired,
    async startNotification({ orderId, notification }) {
      if (refuses(orderId)) throw new Error('away');
      started.push(`${orderId} ${notification}`);
    },
    isTextDue: async (orderId) => orderId === texted.orderId,
  });
  return { subscriber, started };
}

function expired(data: LoggedEvent['data'] = { cause: 'payment_action' }): LoggedEvent {
  return {
    id: randomUUID(),
    type: 'order.expired',
    orderId: newId('order'),
    seq: 3,
    correlationId: 'x',
    causationId: null,
    traceparent: null,
    data,
    time: '2026-01-01T00:00:00.000Z',
    cursor: LOG_START,
  };
}

const [mailed, texted] = [expired(), expired()];

describe('the expiry notifier', () => {
  test('notifies by mail, and by SMS those who agreed', async () => {
    const { subscriber, started } = setUp();
    await subscriber.handle([mailed, texted], NEVER);
    expect(started).toEqual([
      `${mailed.orderId} expired`,
      `${texted.orderId} expired`,
      `${texted.orderId} sms/expired`,
    ]);
  });

  test('passes over orders that never waited for their shopper, and over all when it is off', async () => {
    const abandoned = expired({});
    const wanted = await setUp().subscriber.selectWanted?.([abandoned, mailed]);
    expect(wanted).toEqual([mailed]);
    const off = setUp({ notifyExpired: false }).subscriber;
    expect(off.isOff).toBe(true);
    expect(await off.selectWanted?.([abandoned, mailed])).toEqual([]);
  });

  test('one that cannot be started keeps no other from being started, and is the only one that fails', async () => {
    const { subscriber, started } = setUp({ refuses: (id) => id === mailed.orderId });
    const handled = subscriber.handle([mailed, texted], NEVER);
    await expect(handled).rejects.toMatchObject({ failed: [{ event: mailed }] });
    expect(started).toHaveLength(2);
    await expect(subscriber.handle([mailed], NEVER)).rejects.toThrow('away');
  });

  test('starts nothing after its deadline', async () => {
    const { subscriber, started } = setUp();
    await expect(subscriber.handle([mailed], AbortSignal.abort())).rejects.toThrow('aborted');
    expect(started).toEqual([]);
  });
});
