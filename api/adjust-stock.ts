/** One movement of stock under an Idempotency-Key: units, movement and answer in one transaction. */
import type { Database } from '../prisma/client.ts';
import {
  claimAnswered,
  inspectKey,
  type KeyClaim,
  type StoredAnswer,
} from '../prisma/idempotency.ts';
import { recordAction, type Operator } from '../prisma/operator-actions.ts';
import { adjustStock, type AdjustOutcome } from '../prisma/stock.ts';
import { inFlight, keyReused } from './order-answers.ts';
import type { Problem } from './problems.ts';
import { stockBody } from './representations.ts';

export interface StockChange {
  readonly sku: string;
  readonly delta: number;
  readonly reason: string;
  readonly by: Operator;
}

export type ChangeStockOutcome =
  | { readonly kind: 'changed'; readonly answer: StoredAnswer; readonly replayed: boolean }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** Undoes the movement when somebody else was first with the key. */
class KeyTakenError extends Error {}

export async function changeStock(
  db: Database,
  claim: KeyClaim,
  change: StockChange,
): Promise<ChangeStockOutcome> {
  const before = await answered(db, claim);
  if (before) return before;
  try {
    const outcome = await db.$transaction(async (tx) => {
      const { by, ...movement } = change;
      const adjusted = await adjustStock(tx, { ...movement, actor: by.apiKeyId });
      if (adjusted.kind !== 'adjusted') return adjusted;
      const data = { delta: change.delta };
      await recordAction(tx, by, { action: 'stock.adjusted', subject: change.sku, data });
      const answer = { status: 200, body: JSON.stringify(stockBody(adjusted.stock)) };
      if (!(await claimAnswered(tx, claim, answer))) throw new KeyTakenError();
      return { kind: 'changed', answer, replayed: false } as const;
    });
    return outcome.kind === 'changed' ? outcome : refused(outcome, change.delta);
  } catch (error) {
    if (!(error instanceof KeyTakenError)) throw error;
    return (await answered(db, claim)) ?? { kind: 'refused', problem: inFlight() };
  }
}

/** What the key has been answered with, or null when it is free. */
async function answered(db: Database, claim: KeyClaim): Promise<ChangeStockOutcome | null> {
  const key = await inspectKey(db, claim);
  switch (key.kind) {
    case 'free':
      return null;
    case 'answered':
      return { kind: 'changed', answer: key.answer, replayed: true };
    case 'other_request':
      return { kind: 'refused', problem: keyReused() };
    case 'in_flight':
    case 'abandoned':
      return { kind: 'refused', problem: inFlight() };
  }
}

function refused(
  outcome: Exclude<AdjustOutcome, { kind: 'adjusted' }>,
  delta: number,
): ChangeStockOutcome {
  if (outcome.kind === 'product_not_found') {
    return {
      kind: 'refused',
      problem: { code: 'product_not_found', detail: 'No product has this SKU.' },
    };
  }
  const { available, held } = outcome.stock;
  return {
    kind: 'refused',
    problem: {
      code: 'stock_not_available',
      detail:
        delta > 0
          ? 'That is more than can be counted.'
          : `${available} units can be taken; ${held} are held for orders.`,
      members: { stock: stockBody(outcome.stock) },
    },
  };
}
