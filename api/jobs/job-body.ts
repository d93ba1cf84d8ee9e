/** Jobs on the wire, and as a stream of their progress. */
import type { JobId } from '../../domain/ids.ts';
import { filesOf, percentOf } from '../../domain/jobs.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { SecretCipher } from '../../prisma/client/secret-cipher.ts';
import { signDownload } from '../../prisma/jobs/download-links.ts';
import { requireJob, type Job } from '../../prisma/jobs/jobs.ts';
import type { SseSource } from '../http/sse.ts';
import type { JobBody } from '../schemas/jobs.ts';

export function jobBody(cipher: SecretCipher, job: Job): JobBody {
  const { id, kind, type, params, status, total, done, failed } = job;
  return {
    id,
    object: kind,
    type,
    params: { ...params },
    status,
    progress: { total, done, failed, percent: percentOf(job) },
    actor: job.actor,
    approved_by: job.approvedBy,
    error: job.error,
    created_at: job.createdAt,
    started_at: job.startedAt,
    finished_at: job.finishedAt,
    files: filesOf(job).map((name) => {
      const { path, expiresAt } = signDownload(cipher, { id, file: name });
      return { name, url: path, expires_at: expiresAt };
    }),
  };
}

/** The job whenever it has changed, as a message `progress`. */
export function progressSource(
  { db, cipher }: { readonly db: Database; readonly cipher: SecretCipher },
  id: JobId,
): SseSource {
  let seen = '';
  return {
    subject: id,
    async next() {
      const job = await requireJob(db, id);
      const version = `${job.batches}.${job.status}`;
      if (version === seen) return [];
      seen = version;
      return [{ id: version, type: 'progress', data: jobBody(cipher, job) }];
    },
    cursor: () => seen,
  };
}
