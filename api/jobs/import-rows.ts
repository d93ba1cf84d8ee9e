/** The rules of imported rows: those of `PUT /v1/products/{sku}` and of stock, on text. */
import { z } from '@hono/zod-openapi';
import type { CheckedRow, ImportType } from '../../domain/import.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { CountedStock } from '../../prisma/catalog/import-batch.ts';
import type { ProductDraft } from '../../prisma/catalog/products.ts';
import { priceProblem } from '../orders/amounts.ts';
import { sku } from '../schemas/common.ts';
import { putProductBody } from '../schemas/products.ts';

type Values = Readonly<Record<string, string>>;

const wholeNumber = z
  .string()
  .regex(/^\d{1,10}$/, 'A whole number in digits alone, such as 1300')
  .transform(Number);

const productRow = z.object({
  sku,
  ...putProductBody.shape,
  description: z
    .string()
    .transform((description) => (description === '' ? null : description))
    .pipe(putProductBody.shape.description.unwrap()),
  price_minor: wholeNumber.pipe(putProductBody.shape.price_minor),
});

const stockRow = z.object({ sku, on_hand: wholeNumber.pipe(z.number().max(MAX_INTEGER)) });

/** Checks rows as the calls for one product do. */
export function createRowRules({ payments }: { readonly payments: PaymentGateway }) {
  return {
    products(values: Values): CheckedRow<ProductDraft> {
      const parsed = productRow.safeParse(values);
      if (!parsed.success) return invalid(parsed.error);
      const { price_minor: priceMinor, description, ...rest } = parsed.data;
      const { currency } = rest;
      const wrong = priceProblem(payments.limitsOf(currency), {
        amountMinor: priceMinor,
        currency,
      });
      if (wrong !== null) {
        return { kind: 'invalid', error: { column: wrong.field, message: wrong.detail } };
      }
      return { kind: 'valid', value: { ...rest, description, priceMinor } };
    },
    stock(values: Values): CheckedRow<CountedStock> {
      const parsed = stockRow.safeParse(values);
      if (!parsed.success) return invalid(parsed.error);
      const { sku: counted, on_hand: onHand } = parsed.data;
      return { kind: 'valid', value: { sku: counted, onHand } };
    },
  } satisfies Record<ImportType, unknown>;
}

/** One line for a row, however many of its columns are wrong. */
function invalid({ issues }: z.ZodError) {
  const columns = [...new Set(issues.map(({ path }) => path.join('.')))];
  const messages = issues.map(({ path, message }) =>
    columns.length > 1 ? `${path.join('.')}: ${message}` : message,
  );
  const error = { column: columns.join(' '), message: messages.join('; ') };
  return { kind: 'invalid', error } as const;
}
