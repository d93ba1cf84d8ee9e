import { expect } from 'vitest';
import { EVENTS_ONLY, deadLettersFor, subscribe, subscriberOf } from '../events/subscribers.ts';
import { eventually } from '../support/eventually.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { test } from './matrix-case.ts';

const shop = useRunningShop(EVENTS_ONLY);
test('[infra/poison] a poisoned event becomes the only dead letter of its batch and the others are delivered', async (proof) => {
  const taken = new Set<string>();
  let poisoned = '';
  const subscriber = subscriberOf('poison', (events) => {
    poisoned ||= events[0]?.id ?? '';
    if (events.some((event) => event.id === poisoned)) return Promise.reject(new Error('poison'));
    for (const event of events) taken.add(event.id);
    return Promise.resolve();
  });
  await subscribe(shop, { ...subscriber, delayMs: 300 });
  const { orderId } = await shop.order();
  const events = await shop.db.event.findMany({ where: { orderId } });
  await eventually(() => {
    const others = events.map((event) => event.id).filter((id) => id !== poisoned);
    expect([...taken].toSorted()).toEqual(others.toSorted());
  });
  await eventually(async () => {
    const deadLetters = await deadLettersFor(shop, 'poison');
    expect(deadLetters.map((deadLetter) => deadLetter.eventId)).toEqual([poisoned]);
    proof.fired(deadLetters[0]?.retryCount ?? 0);
  });
});
