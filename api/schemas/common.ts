/** Schemas shared by requests and responses. */
import { z } from '@hono/zod-openapi';
import { CURRENCIES } from '../../domain/currencies.ts';
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
  .openapi({ type: 'string', example: 'EUR' });

export const pageLimit = z.coerce.number().int().min(1).max(100).default(20);
const cursor = z.string().regex(/^[\x21-\x7e]{1,100}$/);
export const pageQuery = z.object({ limit: pageLimit, starting_after: cursor.optional() });

/** Accepts a bare key and a quoted structured-field string, which are equivalent. */
export const idempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .transform(unquoted)
    .pipe(z.string().regex(/^[\x20-\x7e]{1,255}$/))
    .openapi({
      type: 'string',
      description:
        'A unique key per operation, e.g. a UUID. Quoted (RFC 8941) and bare forms are equivalent.',
    }),
});

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string(),
    request_id: z.string(),
    retryable: z.boolean().optional(),
    errors: z
      .array(
        z.object({
          detail: z.string(),
          pointer: z.string().optional(),
          parameter: z.string().optional(),
          header: z.string().optional(),
        }),
      )
      .optional(),
  })
  .openapi('Problem');

/** The error response of every operation. */
export const problemResponses = {
  default: {
    description: 'A problem (RFC 9457). The codes are listed at /docs/errors.',
    content: { 'application/problem+json': { schema: problemSchema } },
  },
} as const;

/** The response of every list operation. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({
    object: z.literal('list'),
    url: z.string(),
    data: z.array(item),
    has_more: z.boolean(),
  });
}

function unquoted(value: string): string {
  const [, inner] = /^"((?:[^"\\]|\\["\\])*)"$/.exec(value) ?? [];
  return inner === undefined ? value : inner.replaceAll(/\\(["\\])/g, '$1');
}
