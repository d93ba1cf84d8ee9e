/** The rules of imported rows: those of `PUT /v1/products/{sku}` and of stock, on text. */
import { z } from '@hono/zod-openapi';
import { currencyOfColumn, type CheckedRow, type ImportType } from '../../domain/import.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { CountedStock, ImportedProduct } from '../../prisma/catalog/import-batch.ts';
import { priceProblems } from '../orders/amounts.ts';
import { sku } from '../schemas/common.ts';
import { putProductBody } from '../schemas/products.ts';

type Values = Readonly<Record<string, string>>;

const wholeNumber = z
  .string()
  .regex(/^\d{1,10}$/, 'A whole number in digits alone, such as 1300')
  .transform(Number);

const product = putProductBody.shape;
const price = wholeNumber.pipe(product.price_minor);

const productRow = z.object({
  sku,
  name: product.name,
  description: z
    .string()
    .transform((description) => (description === '' ? null : description))
    .pipe(product.description.unwrap()),
  price_minor: price,
  currency: product.currency,
});

/** In other currencies, by column. */
const otherPrices = z.record(z.string(), price);

const stockRow = z.object({ sku, on_hand: wholeNumber.pipe(z.number().max(MAX_INTEGER)) });

/** Checks rows as the calls for one product do. */
export function createRowRules({ payments }: { readonly payments: PaymentGateway }) {
  return {
    products(values: Values): CheckedRow<ImportedProduct> {
      const row = productRow.safeParse(values);
      const cells = priceCells(values);
      const filled = cells.filter(({ text }) => text !== '');
      const others = otherPrices.safeParse(
        Object.fromEntries(filled.map(({ column, text }) => [column, text])),
      );
      if (!row.success || !others.success) {
        return invalid([...(row.error?.issues ?? []), ...(others.error?.issues ?? [])]);
      }
      const { price_minor: priceMinor, ...rest } = row.data;
      const prices = cells.map(({ column, currency }) => {
        return { currency, priceMinor: others.data[column] ?? null };
      });
      const all = [
        { currency: rest.currency, priceMinor },
        ...prices.flatMap(({ currency, priceMinor: minor }) =>
          minor === null ? [] : [{ currency, priceMinor: minor }],
        ),
      ];
      const [wrong] = priceProblems(payments, all);
      if (wrong === undefined) return { kind: 'valid', value: { ...rest, priceMinor, prices } };
      const column = wrong.at === 0 ? wrong.field : (filled[wrong.at - 1]?.column ?? null);
      return { kind: 'invalid', error: { column, message: wrong.detail } };
    },
    stock(values: Values): CheckedRow<CountedStock> {
      const parsed = stockRow.safeParse(values);
      if (!parsed.success) return invalid(parsed.error.issues);
      const { sku: counted, on_hand: onHand } = parsed.data;
      return { kind: 'valid', value: { sku: counted, onHand } };
    },
  } satisfies Record<ImportType, unknown>;
}

/** The cells of prices in other currencies. An empty one: no price. */
function priceCells(values: Values) {
  return Object.entries(values).flatMap(([column, text]) => {
    const currency = currencyOfColumn(column);
    return currency === null ? [] : [{ column, currency, text }];
  });
}

/** One line for a row, however many of its columns are wrong. */
function invalid(issues: readonly z.core.$ZodIssue[]) {
  const columns = [...new Set(issues.map(({ path }) => path.join('.')))];
  const messages = issues.map(({ path, message }) =>
    columns.length > 1 ? `${path.join('.')}: ${message}` : message,
  );
  const error = { column: columns.join(' '), message: messages.join('; ') };
  return { kind: 'invalid', error } as const;
}
