/** Uploads of files with products or stock. */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Services } from '../context.ts';
import { ProblemError } from '../http/problems.ts';
import { importDraft, importFingerprint } from '../jobs/import-draft.ts';
import { FILE_PATH, isFile } from '../middleware/request-body.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import { responseHeaders } from '../schemas/conditions.ts';
import { importFile, importQuery } from '../schemas/imports.ts';
import { importSchema } from '../schemas/jobs.ts';
import { problems } from '../schemas/problems.ts';
import { jobRoutes, requestJob } from './jobs.ts';

const TAG = 'Imports';

export function importRoutes(services: Services) {
  const routes = { kind: 'import', path: FILE_PATH, tag: TAG, schema: importSchema } as const;
  return jobRoutes(services, routes).openapi(importRoute, async (c) => {
    const { type, dry_run } = c.req.valid('query');
    const file = new Uint8Array(await c.req.arrayBuffer());
    if (file.length > 0) requireCsv(c);
    const request = { type, dryRun: dry_run === 'true', file };
    return requestJob<typeof importSchema>(services, c, {
      path: FILE_PATH,
      key: c.req.valid('header')['idempotency-key'],
      body: importFingerprint(request),
      draft: () => importDraft(services, request),
    });
  });
}

/** Another charset is refused like another type: the bytes would be read wrongly. */
function requireCsv(c: Context): void {
  const [, charset = 'utf-8'] =
    /;[ \t]*charset="?([\w-]+)/i.exec(c.req.header('content-type') ?? '') ?? [];
  if (isFile(c) && /^(?:utf-?8|us-ascii)$/i.test(charset)) return;
  const detail = 'Send the file as text/csv, in UTF-8.';
  throw new ProblemError({ code: 'unsupported_media_type', detail });
}

const importRoute = createRoute({
  method: 'post',
  path: FILE_PATH,
  operationId: 'importFile',
  'x-role': 'admin',
  tags: [TAG],
  summary: 'Import products or stock from a CSV file',
  description:
    'A file that cannot be read with certainty is refused, and nothing begins. Otherwise each row is ' +
    'checked as the calls for one product do, and what is wrong with some is in `errors.csv`. Importing a ' +
    'file again changes nothing.',
  request: {
    query: importQuery,
    headers: idempotencyHeader,
    body: { required: true, content: { 'text/csv': { schema: importFile } } },
  },
  responses: {
    202: {
      description: 'Accepted. `Location` is its progress.',
      headers: responseHeaders('Location'),
      content: { 'application/json': { schema: importSchema } },
    },
    ...problems('too_many_jobs'),
  },
});
