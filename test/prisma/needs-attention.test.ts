import { expect, test } from 'vitest';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { markStuckNeedsAttention, recordRecovered } from '../../prisma/orders/stuck-orders.ts';
import { useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase();

test('a step that needs attention replaces the open dead letter of the whole checkout once', async () => {
  const { id: orderId } = await shop.place();
  const find = () => shop.db.order.findUniqueOrThrow({ where: { id: orderId } });
  const seen = await find();
  expect(
    await markStuckNeedsAttention(shop.db, { orderId, version: seen.version }, 'it fails'),
  ).toBe(true);
  const wholeCheckout = await find();

  const waiting = { steps: ['releaseStock'], failure: 'down' };
  expect(await recordNeedsAttention(shop.db, orderId, waiting)).toMatchObject({ kind: 'changed' });
  expect(await recordNeedsAttention(shop.db, orderId, waiting)).toEqual({ kind: 'already' });

  expect(await find()).toMatchObject({ status: 'needs_attention', attentionStep: 'releaseStock' });
  const deadLetters = await shop.db.deadLetter.findMany({
    where: { orderId },
    orderBy: { id: 'asc' },
  });
  expect(deadLetters.map(({ subject, status }) => ({ subject, status }))).toEqual([
    { subject: 'checkout', status: 'resolved' },
    { subject: 'releaseStock', status: 'open' },
  ]);
  // A sweep that read it while its whole checkout waited recovers it no more.
  const late = { orderId, version: wholeCheckout.version };
  expect(await recordRecovered(shop.db, late, 'placed')).toBe(false);
});

test('an order in needs_attention at one step gets no second dead letter for the whole checkout', async () => {
  const { id: orderId } = await shop.place();
  await recordNeedsAttention(shop.db, orderId, { steps: ['releaseStock'], failure: 'down' });
  const { version } = await shop.db.order.findUniqueOrThrow({ where: { id: orderId } });
  expect(await markStuckNeedsAttention(shop.db, { orderId, version }, 'it fails')).toBe(false);
  expect(await shop.db.deadLetter.count({ where: { orderId } })).toBe(1);
});
