import { html } from 'hono/html';
import { expect, test } from 'vitest';
import { facts, subjectTitle, type Data } from '../../api/console/facts.ts';

async function textOf(data: Data): Promise<string> {
  const text = await html`${facts(data)}`;
  return text.replaceAll(/<[^>]+>/g, '').trim();
}

test('the data of an event is shown in words, and what is null is left out', async () => {
  const restocked = [{ sku: 'mug-white', quantity: 2 }];
  expect(await textOf({ refund_id: 'rfd_1', restocked })).toBe(
    'refund id: rfd_1 restocked: 2 × mug-white',
  );
  const lines = [{ sku: 'mug-white', quantity: 3, reserved_quantity: 1 }];
  expect(await textOf({ lines })).toBe('lines: 1 of 3 × mug-white');
  const disputed = { amount_minor: 1_250, currency: 'EUR', respond_by: null };
  expect(await textOf({ ...disputed, reason: 'product_not_received' })).toBe(
    'amount: €12.50 reason: product not received',
  );
  expect(await textOf({ seen: { nested: true } })).toBe('seen: {&quot;nested&quot;:true}');
});

test.each([
  ['shipOrder', 'Ship the order'],
  ['sms/shipped', 'shipped, by SMS'],
  ['notify: sms/shipped', 'Notify: shipped, by SMS'],
  ['refunded/rfd_01m8qjmjedf22rhh6ghf9gpw8q', 'refund'],
  ['notify: refunded/rfd_01m8qjmjedf22rhh6ghf9gpw8q', 'Notify: refund'],
  ['analytics', 'analytics'],
])('the step or message %s is called "%s"', (subject, title) => {
  expect(subjectTitle(subject)).toBe(title);
});
