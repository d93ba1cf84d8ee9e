/** What a type of job is, and what its activities are given. */
import type { BulkAction, BulkItemOutcome, BulkOrigin } from '../../domain/bulk.ts';
import type { CheckedRow, ImportRow } from '../../domain/import.ts';
import type { CountedStock, ImportedProduct } from '../../prisma/catalog/import-batch.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { Job } from '../../prisma/jobs/jobs.ts';

/** The rules of the API for one product and its stock. */
export interface RowRules {
  products(values: ImportRow['values']): CheckedRow<ImportedProduct>;
  stock(values: ImportRow['values']): CheckedRow<CountedStock>;
}

/** One item, as the call of the API for it alone does it. Throws OutageError when every item would meet it. */
export type BulkItems = Readonly<
  Record<BulkAction, (id: string, by: BulkOrigin) => Promise<BulkItemOutcome>>
>;

export interface JobDependencies {
  readonly db: Database;
  readonly rowRules: RowRules;
  readonly bulkItems: BulkItems;
}

export interface JobType<Deps = JobDependencies> {
  /** Counts the items; null when the number is known only at the end. Called once, before the first batch. */
  prepare(deps: Deps, job: Job): Promise<number | null>;
  /**
   * Does one batch: reads what is after `job.cursor`, and commits its work together with `advanceJob`.
   * `done`: nothing is left. It takes at most 5 s, because a cancel and a heartbeat wait for it; one
   * that can take longer sends heartbeats itself. It is repeated when it was killed before its commit.
   * Throws `jobFailed` when a repeat cannot succeed.
   */
  next(deps: Deps, job: Job): Promise<'more' | 'done'>;
}
