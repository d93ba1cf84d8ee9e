/** Schemas shared by requests and responses. */
import { z } from '@hono/zod-openapi';

/** User-entered text: trimmed, bounded, and safe for PostgreSQL and mail headers. */
export function text(maxLength: number) {
  return z
    .string()
    .trim()
    .min(1)
    .max(maxLength)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'Control characters are not allowed');
}

export const sku = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'A SKU has 1 to 64 letters, digits, dots, underscores and dashes',
  );

/** ISO 4217 codes, from the runtime's list. */
const CURRENCIES = new Set(Intl.supportedValuesOf('currency'));
export const currency = z
  .string()
  .regex(/^[A-Z]{3}$/)
  .refine((code) => CURRENCIES.has(code), 'Not an ISO 4217 currency code')
  .openapi({ example: 'EUR' });

/** Codes that the runtime can name but are not countries: unions, private use, "unknown". */
const NOT_COUNTRIES: readonly string[] = ['EU', 'EZ', 'UN', 'QO', 'XA', 'XB', 'ZZ'];
const regionNames = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
export const country = z
  .string()
  .regex(/^[A-Z]{2}$/)
  .refine(
    (code) =>
      /^[A-Z]{2}$/.test(code) &&
      !NOT_COUNTRIES.includes(code) &&
      regionNames.of(code) !== undefined,
    'Not an ISO 3166 country code',
  )
  .openapi({ example: 'DE' });

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
