/** Imports and bulk actions of a shop, as their operator sees them. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { isJobId, type JobId } from '../../domain/ids.ts';
import type { ImportType } from '../../domain/import.ts';
import type { RequestOptions, Shop } from './shop.ts';

const job = z.looseObject({
  id: z.string().refine(isJobId),
  status: z.string(),
  progress: z.object({ total: z.number().nullable(), done: z.number(), failed: z.number() }),
  files: z.array(z.looseObject({ name: z.string(), url: z.string() })),
});
export type JobView = z.infer<typeof job>;

/** POST /v1/imports as an admin. */
export function upload(
  { request }: Pick<Shop, 'request'>,
  file: {
    readonly type: ImportType;
    readonly text: string | Uint8Array;
    readonly dryRun?: boolean;
  },
  options: RequestOptions = {},
): Promise<Response> {
  const dryRun = file.dryRun === undefined ? '' : `&dry_run=${file.dryRun}`;
  return request('POST', `/v1/imports?type=${file.type}${dryRun}`, {
    role: 'admin',
    body: file.text,
    key: randomUUID(),
    headers: { 'content-type': 'text/csv' },
    ...options,
  });
}

/** The job of a 202. */
export async function acceptedJob(response: Response): Promise<JobView> {
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  return job.parse(await response.json());
}

/** The job as its operator sees it. */
export async function viewJob({ request }: Pick<Shop, 'request'>, id: JobId): Promise<JobView> {
  const path = id.startsWith('imp_') ? 'imports' : 'bulk';
  const response = await request('GET', `/v1/${path}/${id}`, { role: 'operator' });
  return job.parse(await response.json());
}

/** The lines of its error file, without the header. */
export async function errorLines(
  { request }: Pick<Shop, 'request'>,
  { files }: JobView,
): Promise<readonly string[]> {
  const errors = files.find(({ name }) => name === 'errors.csv');
  if (errors === undefined) return [];
  const text = await (await request('GET', errors.url, { role: null })).text();
  return text.trimEnd().split('\r\n').slice(1);
}
