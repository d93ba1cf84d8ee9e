/**
 * Imports products or stock: each piece of the input is a batch of rows, applied with its progress in one
 * commit. A row that breaks a rule is a line of the error file; the others are applied.
 */
import { z } from 'zod';
import type { CheckedRow, ImportRow } from '../../domain/import.ts';
import type { Operator } from '../../prisma/access/operator-actions.ts';
import type { Transaction } from '../../prisma/client/client.ts';
import {
  importProducts,
  importStock,
  type CountedStock,
  type ImportedProduct,
} from '../../prisma/catalog/import-batch.ts';
import { advanceJob, type Job } from '../../prisma/jobs/jobs.ts';
import { nextPiece, operatorOf } from './pieces.ts';
import type { JobDependencies, JobType, RowRules } from './job-type.ts';

const importParams = z.object({ dry_run: z.boolean() });
const importRows = z.array(
  z.object({
    row: z.number(),
    values: z.record(z.string(), z.string()),
    error: z.object({ column: z.string().nullable(), message: z.string() }).nullable(),
  }),
);

interface How {
  readonly by: Operator;
  readonly dryRun: boolean;
}

export const productImport = importOf<ImportedProduct>({
  check: (rules, values) => rules.products(values),
  async apply(tx, products, { by, dryRun }) {
    if (!dryRun) await importProducts(tx, products, by);
    return new Map();
  },
});

export const stockImport = importOf<CountedStock>({
  check: (rules, values) => rules.stock(values),
  async apply(tx, counts, how) {
    const reason = `import ${how.by.correlationId}`;
    const refusals = await importStock(tx, counts, { ...how, reason });
    return new Map(
      refusals.map((refusal) => [
        refusal.sku,
        refusal.kind === 'held'
          ? { column: 'on_hand', message: `${refusal.held} units are held for orders.` }
          : { column: 'sku', message: 'No product has this SKU.' },
      ]),
    );
  },
});

interface Kind<T> {
  check(rules: RowRules, values: ImportRow['values']): CheckedRow<T>;
  /** Returns what the database refuses, by SKU. */
  apply(
    tx: Transaction,
    rows: readonly T[],
    how: How,
  ): Promise<ReadonlyMap<string, NonNullable<ImportRow['error']>>>;
}

function importOf<T extends { readonly sku: string }>(kind: Kind<T>): JobType {
  return {
    prepare: (_, { total }) => Promise.resolve(total),
    async next({ db, rowRules }: JobDependencies, job: Job) {
      const piece = await nextPiece(db, job);
      if (piece === null) return 'done';
      const rows = importRows.parse(piece.content).map((each) => ({
        ...each,
        checked: each.error === null ? kind.check(rowRules, each.values) : null,
      }));
      const valid = rows.flatMap(({ checked }) =>
        checked?.kind === 'valid' ? [checked.value] : [],
      );
      const how = { by: operatorOf(job), dryRun: importParams.parse(job.params).dry_run };
      await db.$transaction(async (tx) => {
        const refused = await kind.apply(tx, valid, how);
        const errors = rows.flatMap(({ row, values, error, checked }) => {
          const wrong =
            checked?.kind === 'valid' ? refused.get(checked.value.sku) : (checked?.error ?? error);
          return wrong ? [{ row, ...wrong, ...values }] : [];
        });
        const { after: cursor } = piece;
        const step = { done: rows.length, failed: errors.length, cursor, errors };
        await advanceJob(tx, job, step);
      });
      return 'more';
    },
  };
}
