/** A stock movement under an Idempotency-Key. Stock, movement and response are one transaction. */
import type { Database } from '../../prisma/client/client.ts';
import { insertCompletedKey, type KeyClaim } from '../../prisma/access/idempotency.ts';
import { recordAction, type Operator } from '../../prisma/access/operator-actions.ts';
import { adjustStock, type AdjustOutcome } from '../../prisma/catalog/stock.ts';
import type { Problem } from '../http/problems.ts';
import { stockBody } from '../orders/representations.ts';
import { refused, withIdempotencyKey, type IdempotentOutcome } from '../http/idempotent.ts';

export interface StockChange {
  readonly sku: string;
  readonly delta: number;
  readonly reason: string;
  readonly by: Operator;
}

export function changeStock(
  db: Database,
  claim: KeyClaim,
  { by, ...movement }: StockChange,
): Promise<IdempotentOutcome> {
  const { sku: subject, delta } = movement;
  return withIdempotencyKey(db, claim, () =>
    db.$transaction(async (tx) => {
      const adjusted = await adjustStock(tx, { ...movement, actor: by.apiKeyId });
      if (adjusted.kind !== 'adjusted') return refused(problemOf(adjusted, delta));
      await recordAction(tx, by, { action: 'stock.adjusted', subject, data: { delta } });
      const response = { status: 200, body: JSON.stringify(stockBody(adjusted.stock)) };
      await insertCompletedKey(tx, claim, response);
      return response;
    }),
  );
}

function problemOf(outcome: Exclude<AdjustOutcome, { kind: 'adjusted' }>, delta: number): Problem {
  if (outcome.kind === 'product_not_found') {
    return { code: 'product_not_found', detail: 'No product has this SKU.' };
  }
  const { available, held } = outcome.stock;
  return {
    code: 'stock_not_available',
    detail:
      delta > 0
        ? 'The stock would exceed the largest count. Add fewer units.'
        : `At most ${available} units can be removed; ${held} are reserved for orders.`,
    members: { stock: stockBody(outcome.stock) },
  };
}
