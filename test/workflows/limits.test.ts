import { defaultPayloadConverter } from '@temporalio/common';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkoutStartOptions } from '../../workflows/checkout/contract.ts';
import { details, keywords, summary } from '../../workflows/limits.ts';
import { newOrderId } from '../gateways/provider.ts';

/** The server's limits, and the protobuf around a text: the encoding's name, tags and lengths. */
const ATTRIBUTE_BYTES = 2_048;
const SUMMARY_BYTES = 400 - 35;
const DETAILS_BYTES = 20_000 - 35;

const bytesOf = (value: unknown): number =>
  defaultPayloadConverter.toPayload(value)?.data?.length ?? 0;
/** Also with half surrogates, which JSON writes as six characters. */
const text = fc.string({ unit: 'binary', maxLength: 80 });

test('keywords are the first values that fit into a search attribute, none of them cut', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 200 }), (values) => {
      const kept = keywords(values);
      expect(bytesOf(kept)).toBeLessThanOrEqual(ATTRIBUTE_BYTES);
      expect(kept).toEqual(values.slice(0, kept.length));
      const next = values.slice(0, kept.length + 1);
      // The comma that a full list does not need is the only byte that may be wasted.
      if (kept.length < values.length) expect(bytesOf(next)).toBeGreaterThan(ATTRIBUTE_BYTES - 1);
    }),
  );
});

test('a summary and details keep a text that fits and shorten any other without splitting a character', () => {
  const long = fc.string({ unit: 'grapheme', maxLength: 600 });
  fc.assert(
    fc.property(long, (given) => {
      const shown = summary(given);
      expect(bytesOf(shown)).toBeLessThanOrEqual(SUMMARY_BYTES);
      expect(given.startsWith(shown.replace(/…$/, ''))).toBe(true);
      expect(shown).not.toMatch(/[\ud800-\udfff]/u);
      if (bytesOf(given) <= 300) expect(shown).toBe(given);
    }),
  );
  expect(bytesOf(details('🙂'.repeat(10_000)))).toBeLessThanOrEqual(DETAILS_BYTES);
});

test('an order of any number of products starts with attributes and a summary within the limits', () => {
  const sku = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
  const skus = fc.array(sku, { maxLength: 500 });
  fc.assert(
    fc.property(skus, fc.integer({ min: 0, max: 2 ** 31 - 1 }), (given, totalMinor) => {
      const orderId = newOrderId();
      const order = { orderId, totalMinor, currency: 'EUR', skus: given, correlationId: 'c' };
      const { typedSearchAttributes, staticSummary, args } = checkoutStartOptions(order);
      if (!Array.isArray(typedSearchAttributes)) throw new Error('no list');
      for (const { value } of typedSearchAttributes) {
        expect(bytesOf(value)).toBeLessThanOrEqual(ATTRIBUTE_BYTES);
      }
      expect(bytesOf(staticSummary)).toBeLessThanOrEqual(SUMMARY_BYTES);
      // What grows with the order is only shown.
      expect(bytesOf(args)).toBeLessThan(200);
    }),
    { numRuns: 50 },
  );
});
