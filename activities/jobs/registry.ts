/** What each type of job does: a type is one entry here, and a call of the API that creates it. */
import { bulkOf } from './bulk.ts';
import { productImport, stockImport } from './import.ts';
import type { JobType } from './job-type.ts';
import { REPORTS } from './reports.ts';

/** By the type of the job. */
export const JOB_TYPES: Readonly<Record<string, JobType>> = {
  ...REPORTS,
  products: productImport,
  stock: stockImport,
  cancel: bulkOf('cancel'),
  refund: bulkOf('refund'),
  redrive: bulkOf('redrive'),
};
