/** An uploaded file as a job: each piece of its input is a batch of rows. */
import { createHash } from 'node:crypto';
import { currencyOfColumn, IMPORT_COLUMNS, type ImportType } from '../../domain/import.ts';
import type { JobDraft } from '../../prisma/jobs/jobs.ts';
import type { SerialWork } from '../../services/serial-work.ts';
import { invalidRequest, ProblemError } from '../http/problems.ts';
import { inPieces } from './bulk-draft.ts';
import { readCsv } from './read-csv.ts';

export interface ImportRequest {
  readonly type: ImportType;
  readonly dryRun: boolean;
  readonly file: Uint8Array;
}

/** Its rows are locked for some tens of milliseconds, and orders wait for them. */
const ROWS_PER_BATCH = 250;

/** Reads one file at a time, so that memory holds one. Throws ProblemError when it cannot be read. */
export async function importDraft(
  { serially }: { readonly serially: SerialWork },
  { type, dryRun, file }: ImportRequest,
): Promise<JobDraft> {
  const columns = {
    required: IMPORT_COLUMNS[type],
    isOptional: (name: string) => type === 'products' && currencyOfColumn(name) !== null,
  };
  const outcome = await serially('import', () => readCsv(file, columns));
  if (outcome.kind === 'unreadable') {
    throw new ProblemError(invalidRequest(outcome.reasons.map((detail) => ({ detail }))));
  }
  const { rows } = outcome;
  return {
    kind: 'import',
    type,
    params: { dry_run: dryRun },
    total: rows.length,
    input: inPieces(rows, ROWS_PER_BATCH),
  };
}

/** What an Idempotency-Key is for. */
export function importFingerprint({ type, dryRun, file }: ImportRequest) {
  return { type, dry_run: dryRun, file: createHash('sha256').update(file).digest('hex') };
}
