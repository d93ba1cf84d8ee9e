/** What is recorded about jobs: how they end, who is notified, and the reports that a schedule asks for. */
import { Context, log } from '@temporalio/activity';
import { jobMailKey, type JobId } from '../../domain/ids.ts';
import { filesOf, isEndedJob, progressInWords } from '../../domain/jobs.ts';
import { dayOf, type Day } from '../../domain/time-zone.ts';
import type { Mailer } from '../../gateways/mail/mailer.ts';
import type { Database } from '../../prisma/client/client.ts';
import { idBegunAt } from '../../prisma/client/ids.ts';
import type { SecretCipher } from '../../prisma/client/secret-cipher.ts';
import { signDownload } from '../../prisma/jobs/download-links.ts';
import { clearNotifyEmail, endJob, type JobStart } from '../../prisma/jobs/job-status.ts';
import { createScheduledJob, findJob, type Job } from '../../prisma/jobs/jobs.ts';
import type { JobRecordActivities } from '../../workflows/jobs/activities.ts';
import { providerFailure } from '../failures.ts';
import { guarded } from '../guarded.ts';
import { NOT_DUE, outcomeOf } from './jobs.ts';

export interface JobRecordDependencies {
  readonly db: Database;
  readonly mailer: Mailer;
  /** Signs the links in mails. */
  readonly cipher: SecretCipher;
  /** The address of the API. */
  readonly publicUrl: string;
  /** IANA name: where a day of the shop begins. */
  readonly timeZone: string;
  /** Starts the workflow of a job. What is lost is repeated by recovery. */
  startJob(job: JobStart): Promise<unknown>;
}

export function createJobRecordActivities(deps: JobRecordDependencies): JobRecordActivities {
  const { db, timeZone } = deps;
  return guarded<JobRecordActivities>({
    async endJob({ jobId, end, failure }) {
      const ended = end === 'failed' ? { status: end, error: failure } : { status: end };
      const job = await endJob(db, jobId, ended);
      return job === null ? NOT_DUE : outcomeOf(job);
    },

    async notifyJobEnded({ jobId }) {
      const job = await findJob(db, jobId);
      if (job === null || job.notifyEmail === null || !isEndedJob(job.status)) return;
      const outcome = await deps.mailer.send({
        messageKey: jobMailKey(job),
        to: job.notifyEmail,
        subject: `${titleOf(job)}: ${job.status}`,
        text: mailText(deps, job),
        html: null,
        language: 'en',
      });
      if (outcome.kind === 'unavailable' || outcome.kind === 'unknown') {
        throw providerFailure('mail', outcome);
      }
      if (outcome.kind !== 'sent') {
        log.warn('the mail about a job was not confirmed', { jobId, ...outcome });
      }
      // One that failed can be resumed, and ends once more.
      if (job.status !== 'failed') await clearNotifyEmail(db, jobId);
    },

    async requestReport({ type }) {
      const { id, at } = ownRequest();
      const params = { ...dayBefore(at, timeZone), time_zone: timeZone };
      const job = await createScheduledJob(db, { id, kind: 'report', type, params });
      await deps.startJob(job);
    },
  });
}

/** What has ended by `at`: the day before the one that it is in. */
function dayBefore(at: Date, timeZone: string): Day {
  const { from } = dayOf(at.toISOString(), timeZone);
  return dayOf(new Date(Date.parse(from) - 1).toISOString(), timeZone);
}

/** One id per run of the workflow: a retry finds the job that an earlier attempt wrote. */
function ownRequest(): { readonly id: JobId; readonly at: Date } {
  const { scheduledTimestampMs, workflowExecution } = Context.current().info;
  if (workflowExecution === undefined) throw new Error('only a workflow requests a report');
  return {
    id: idBegunAt('report', scheduledTimestampMs, workflowExecution.runId),
    at: new Date(scheduledTimestampMs),
  };
}

function titleOf({ kind, type }: Job): string {
  return `${kind}: ${type.replaceAll('_', ' ')}`;
}

function mailText({ cipher, publicUrl }: JobRecordDependencies, job: Job): string {
  const files = filesOf(job).map((file) => signDownload(cipher, { id: job.id, file }));
  const [first] = files;
  return [
    `${titleOf(job)} has ${job.status === 'cancelled' ? 'been cancelled' : job.status}.`,
    '',
    `${progressInWords(job)}.`,
    ...(job.error === null ? [] : [`Why: ${job.error}.`]),
    ...(first === undefined ? [] : ['', `Files, until ${first.expiresAt}:`]),
    ...files.map(({ path }) => new URL(path, publicUrl).href),
    '',
    `The job: ${new URL('/console/jobs', publicUrl).href} (${job.id})`,
    '',
  ].join('\n');
}
