/** Jobs that a test writes itself, and their workflows. */
import type { WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import { jobWorkflowId, type JobId } from '../../domain/ids.ts';
import type { JobKind } from '../../domain/jobs.ts';
import { newId } from '../../prisma/client/ids.ts';
import { createScheduledJob, requireJob } from '../../prisma/jobs/jobs.ts';
import { startJobAndMark } from '../../services/job-starter.ts';
import type { JobResult } from '../../workflows/jobs/contract.ts';
import { eventually } from './eventually.ts';
import type { RunningShop } from './running-shop.ts';

export const WINDOW = { from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' };
export const PARAMS = { ...WINDOW, time_zone: 'UTC' };

/** What a test does with the jobs of its shop. */
export function jobsOf(shop: RunningShop) {
  const handleOf = (id: JobId): WorkflowHandle<() => Promise<JobResult>> =>
    shop.temporal.client.workflow.getHandle(jobWorkflowId(id));
  return {
    handleOf,
    jobOf: (id: JobId) => requireJob(shop.db, id),
    /** A job without a workflow. */
    async create(kind: JobKind, params: object, type = 'refunds'): Promise<JobId> {
      const id = newId(kind);
      await createScheduledJob(shop.db, { id, kind, type, params: { ...params } });
      return id;
    },
    start: (id: JobId) =>
      startJobAndMark({ db: shop.db, jobs: shop.services.jobs }, { id, type: 'refunds' }),
    /** Resumes a report that has ended. */
    async resume(id: JobId): Promise<void> {
      const resumed = await shop.request('POST', `/v1/reports/${id}/resume`, { role: 'operator' });
      expect(resumed.status).toBe(202);
      await shop.services.starts.drain();
    },
    /** Its attempt has failed, and another one waits. */
    untilRetried: (id: JobId) =>
      eventually(async () => {
        const [pending] = (await handleOf(id).describe()).raw.pendingActivities ?? [];
        expect(pending?.attempt).toBeGreaterThan(1);
      }),
  };
}
