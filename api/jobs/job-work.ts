/** What the worker does of jobs by the rules of the API: rows are checked and items done as by its calls. */
import { createBulkItems } from './bulk-items.ts';
import { createRowRules } from './import-rows.ts';

export function createJobWork(
  deps: Parameters<typeof createBulkItems>[0] & Parameters<typeof createRowRules>[0],
) {
  return { rowRules: createRowRules(deps), bulkItems: createBulkItems(deps) };
}
