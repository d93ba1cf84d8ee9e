/** Jobs on the wire. */
import { z } from '@hono/zod-openapi';
import { JOB_FILES } from '../../domain/jobs.ts';

const example = 'rep_01k9zq3v5nfa3s4w1m6t2y8h7c';

export const jobParam = z.object({ id: z.string().openapi({ example }) });

/** What every job has. `kind` is the value of `object`. */
export function jobSchemaOf<K extends 'report' | 'import' | 'bulk'>(kind: K) {
  return z.object({
    id: z.string().openapi({ example }),
    object: z.literal(kind),
    type: z.string().openapi({ example: 'sales_by_day' }),
    params: z.record(z.string(), z.unknown()).openapi({ description: 'What was asked for.' }),
    status: z
      .enum([
        'awaiting_approval',
        'queued',
        'running',
        'cancelling',
        'succeeded',
        'failed',
        'cancelled',
      ])
      .openapi({ description: '`cancelling`: it ends after the running batch.' }),
    progress: z
      .object({
        total: z.number().int().nullable().openapi({ description: 'Null until it is counted.' }),
        done: z.number().int().openapi({ description: 'The failed ones included.' }),
        failed: z.number().int(),
        percent: z.number().int().nullable(),
      })
      .openapi({ description: 'Items. None of these numbers ever goes down.' }),
    actor: z.string().openapi({ description: '`schedule`, or `operator/<API key>`.' }),
    approved_by: z.string().nullable(),
    error: z.string().nullable().openapi({ description: 'Why it failed.' }),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    finished_at: z.iso.datetime().nullable(),
    files: z
      .array(
        z.object({
          name: z.enum(JOB_FILES),
          url: z.string().openapi({
            description: 'Needs no API key. Each response has a link that lasts a day.',
            example: `/downloads/${example}/output.csv?token=1767225600.mA9...`,
          }),
          expires_at: z.iso.datetime(),
        }),
      )
      .openapi({ description: 'What can be downloaded now.' }),
  });
}

export const reportSchema = jobSchemaOf('report').openapi('Report');
export const importSchema = jobSchemaOf('import').openapi('Import');
export const bulkSchema = jobSchemaOf('bulk').openapi('Bulk');

/** Of any kind. */
export const anyJobSchema = z.union([reportSchema, importSchema, bulkSchema]);
export type JobBody = z.output<ReturnType<typeof jobSchemaOf>>;
