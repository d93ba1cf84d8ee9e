/** Quotes: a checked cart with its prices, valid for some minutes. Nothing in it is about a person. */
import { z } from 'zod';
import { ADJUSTMENT_KINDS, type Adjustment, type OrderLine } from '../../domain/order.ts';
import type { Database } from '../client/client.ts';
import { newId } from '../client/ids.ts';

/** What was quoted, without the texts. */
export interface QuotedCart {
  readonly currency: string;
  readonly lines: readonly Pick<OrderLine, 'sku' | 'quantity' | 'unitPriceMinor'>[];
  readonly adjustments: readonly Omit<Adjustment, 'label'>[];
  readonly totalMinor: number;
}

export interface Quote extends QuotedCart {
  /** False: expired, so that its prices hold no longer. */
  readonly isValid: boolean;
}

/** How long its prices hold. */
const QUOTE_VALID_MS = 15 * 60_000;

const linesSchema = z.array(
  z.object({ sku: z.string(), quantity: z.number(), unitPriceMinor: z.number() }),
);
const adjustmentsSchema = z.array(
  z.object({ kind: z.enum(ADJUSTMENT_KINDS), amountMinor: z.number() }),
);

/** Stores what was quoted. Raw for the database's clock. */
export async function insertQuote(
  db: Database,
  { currency, lines, adjustments, totalMinor }: QuotedCart,
): Promise<{ readonly id: string; readonly expiresAt: string }> {
  const id = newId('quote');
  // Picked, so that no name and no label is stored.
  const quoted = JSON.stringify(linesSchema.parse(lines));
  const adjusted = JSON.stringify(adjustmentsSchema.parse(adjustments));
  const [row] = await db.$queryRaw<{ expiresAt: Date }[]>`
    INSERT INTO quotes (id, currency, lines, adjustments, total_minor, expires_at)
    VALUES (${id}, ${currency}, ${quoted}::jsonb, ${adjusted}::jsonb, ${totalMinor},
      now() + ${QUOTE_VALID_MS} * interval '1 ms')
    RETURNING expires_at AS "expiresAt"`;
  if (!row) throw new Error(`quote ${id} was not stored`);
  return { id, expiresAt: row.expiresAt.toISOString() };
}

/** The quote, or null: there is none, or it was deleted after it had expired. Raw for the same clock. */
export async function findQuote(db: Database, id: string): Promise<Quote | null> {
  const [row] = await db.$queryRaw<QuoteRow[]>`
    SELECT currency, lines, adjustments, total_minor AS "totalMinor", expires_at > now() AS "isValid"
    FROM quotes WHERE id = ${id}`;
  if (!row) return null;
  return {
    ...row,
    lines: linesSchema.parse(row.lines),
    adjustments: adjustmentsSchema.parse(row.adjustments),
  };
}

interface QuoteRow {
  readonly currency: string;
  readonly lines: unknown;
  readonly adjustments: unknown;
  readonly totalMinor: number;
  readonly isValid: boolean;
}
