/** The files of jobs at /downloads: by signed links, without an API key. Not in the API reference. */
import { Hono } from 'hono';
import { JOB_FILES, filesOf } from '../../domain/jobs.ts';
import { isJobId } from '../../domain/ids.ts';
import { checkDownload } from '../../prisma/jobs/download-links.ts';
import { findJob } from '../../prisma/jobs/jobs.ts';
import type { Services } from '../context.ts';
import { ProblemError } from '../http/problems.ts';
import { CONTENT_TYPES } from '../jobs/downloads.ts';
import type { ApiEnv } from '../middleware/request.ts';

export function downloadRoutes({ db, cipher, downloads }: Services) {
  return new Hono<ApiEnv>().get('/downloads/:id/:file', async (c) => {
    const { id } = c.req.param();
    const file = JOB_FILES.find((each) => each === c.req.param('file'));
    if (file === undefined || !isJobId(id)) throw notFound();
    const token = c.req.query('token') ?? '';
    switch (checkDownload(cipher, { id, file, token })) {
      case 'invalid':
        throw new ProblemError({
          code: 'link_invalid',
          detail: 'Use the link as it is in the job, with its token.',
        });
      case 'expired':
        throw new ProblemError({
          code: 'link_expired',
          detail: 'Read the job again: it has a new link.',
        });
      case 'valid':
    }
    const job = await findJob(db, id);
    if (job === null || !filesOf(job).includes(file)) throw notFound();
    // Hono discards the body of HEAD unread: it would take a place until its time is over.
    const isHead = c.req.raw.method === 'HEAD';
    const { signal } = c.req.raw;
    return c.newResponse(isHead ? null : downloads.open(job, file, signal), 200, {
      'content-type': CONTENT_TYPES[file],
      'content-disposition': `attachment; filename="${job.type}-${id}-${file}"`,
      // Anyone with the link may read it, a cache may not.
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
  });
}

function notFound(): ProblemError {
  return new ProblemError({ code: 'job_not_found', detail: 'There is no such file.' });
}
