/** Schemas shared by requests and responses. */
import { z } from '@hono/zod-openapi';
import { idForm } from '../../domain/ids.ts';
import { CURRENCIES } from '../../domain/iso-4217.ts';
import {
  isLine,
  isParagraphs,
  LINE_PATTERN,
  PARAGRAPHS_PATTERN,
  toInstant,
} from '../../domain/text.ts';

/** Text for people on one line, trimmed. `domain/text.ts` says what that is. */
export function text(maxLength: number) {
  return z
    .string()
    .trim()
    .refine(
      (value) => isLine(value, maxLength),
      `1 to ${maxLength} characters on one line, not all of them blank, without control characters`,
    )
    .openapi({ minLength: 1, maxLength, pattern: LINE_PATTERN });
}

/** Text for people on several lines, trimmed. */
export function paragraphs(maxLength: number) {
  return z
    .string()
    .trim()
    .refine(
      (value) => isParagraphs(value, maxLength),
      `1 to ${maxLength} characters, not all of them blank, without control characters`,
    )
    .openapi({ minLength: 1, maxLength, pattern: PARAGRAPHS_PATTERN });
}

/** A time with any offset; in UTC from here on. */
export const time = z
  .string()
  .transform((value, context) => {
    const instant = toInstant(value);
    if (instant !== null) return instant;
    context.addIssue('Not a time of RFC 3339 with an offset, such as 2026-01-31T12:00:00Z');
    return z.NEVER;
  })
  .openapi({ type: 'string', format: 'date-time' });

export const sku = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'A SKU has 1 to 64 letters, digits, dots, underscores and dashes',
  );

export const currency = z
  .enum(CURRENCIES, 'Not an ISO 4217 currency code')
  .openapi('Currency', { description: 'ISO 4217.', example: 'EUR' });

/** A number of items, in digits alone: a query parameter is text. */
export function limit(most: number, usual: number) {
  return z
    .string()
    .regex(/^\d{1,4}$/, `A number from 1 to ${most}`)
    .transform(Number)
    .pipe(z.number().min(1).max(most))
    .default(usual)
    .openapi({ type: 'integer', minimum: 1, maximum: most, default: usual });
}

/** A page of a list whose last item, by which the next page is asked for, is named by `last`. */
export function pageOf<T extends z.ZodType>(last: T) {
  return z.object({ limit: limit(100, 20), starting_after: last.optional() });
}

/** The id of the last item of the previous page. */
export function pageOfIds(kind: Parameters<typeof idForm>[0]) {
  return pageOf(z.string().regex(idForm(kind), 'Not an id of this list'));
}

/** Without quotes, so without what would end or divide a field. */
const BARE_KEY = /^[\x21\x23-\x2b\x2d-\x7e]{1,255}$/;
const QUOTED_KEY = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"$/;

/**
 * A string of RFC 9651, as the draft of the field wants it, or the same without quotes, which are
 * equivalent. Two fields reach us as one with a comma, and are refused.
 */
export const idempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .transform((field, context) => {
      const [, quoted] = QUOTED_KEY.exec(field) ?? [];
      if (quoted !== undefined) return quoted.replaceAll(/\\(["\\])/g, '$1');
      if (BARE_KEY.test(field)) return field;
      context.addIssue({
        code: 'custom',
        message: 'Send one key of 1 to 255 ASCII characters; quote a key with a space or a comma',
      });
      return z.NEVER;
    })
    .openapi({
      type: 'string',
      pattern: BARE_KEY.source,
      example: 'a-key-for-this-request',
      description:
        'A unique key per operation, e.g. a UUID. Quoted (RFC 9651) and bare forms are equivalent.',
    }),
});

/** The response of every list operation. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({
    object: z.literal('list'),
    url: z.string(),
    data: z.array(item),
    has_more: z.boolean(),
  });
}
