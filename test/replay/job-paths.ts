/** Every path of a job's workflow, driven on a time-skipping server with real parts, like paths.ts. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import { jobWorkflowId, type JobId } from '../../domain/ids.ts';
import type { JobKind } from '../../domain/jobs.ts';
import { newId } from '../../prisma/client/ids.ts';
import { createScheduledJob } from '../../prisma/jobs/jobs.ts';
import { EVENTS_TASK_QUEUE } from '../../workflows/events/contract.ts';
import { REQUEST_REPORT_WORKFLOW } from '../../workflows/jobs/contract.ts';
import { eventually } from '../support/eventually.ts';
import type { RunningShop } from '../support/running-shop.ts';
import type { Path } from './paths.ts';

export interface JobPath extends Pick<Path, 'name' | 'holds'> {
  readonly begin: (shop: RunningShop) => Promise<WorkflowHandle>;
  /** What happens while it is in progress. */
  readonly meanwhile?: (handle: WorkflowHandle) => Promise<unknown>;
  readonly ends: 'COMPLETED' | 'FAILED' | 'CANCELLED';
}

const WINDOW = { from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' };
const PARAMS = { ...WINDOW, time_zone: 'UTC' };

export const JOB_PATHS: readonly JobPath[] = [
  {
    name: 'report-succeeded',
    begin: (shop) => beginJob(shop, { kind: 'report', type: 'refunds', params: PARAMS }),
    holds: ['runJob', 'notifyJobEnded', '"kind":"succeeded"'],
    ends: 'COMPLETED',
  },
  {
    name: 'import-failed',
    // Without its time zone an attempt fails in a way that is retried briefly.
    begin: (shop) => beginJob(shop, { kind: 'import', type: 'refunds', params: WINDOW }),
    holds: ['EVENT_TYPE_ACTIVITY_TASK_FAILED', 'EVENT_TYPE_TIMER_FIRED', 'endJob', 'job_failed'],
    ends: 'FAILED',
  },
  {
    name: 'bulk-cancelled-from-outside',
    begin: (shop) => beginJob(shop, { kind: 'bulk', type: 'of another version', params: PARAMS }),
    async meanwhile(handle) {
      await eventually(async () => {
        const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
        expect(pending?.attempt).toBeGreaterThan(1);
      });
      await handle.cancel();
    },
    holds: ['EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED', 'endJob', '"end":"cancelled"'],
    ends: 'CANCELLED',
  },
  {
    name: 'report-requested-by-a-schedule',
    begin: ({ temporal }) =>
      temporal.client.workflow.start(REQUEST_REPORT_WORKFLOW, {
        workflowId: `report-sales-by-day-${randomUUID()}`,
        taskQueue: EVENTS_TASK_QUEUE,
        args: [{ type: 'sales_by_day' }],
      }),
    holds: ['requestReport', 'sales_by_day'],
    ends: 'COMPLETED',
  },
];

async function beginJob(
  { db, services, temporal }: RunningShop,
  draft: { readonly kind: JobKind; readonly type: string; readonly params: object },
): Promise<WorkflowHandle> {
  const id: JobId = newId(draft.kind);
  await createScheduledJob(db, { ...draft, id, params: { ...draft.params } });
  expect(await services.jobs.start({ id, type: draft.type })).toEqual({ kind: 'started' });
  return temporal.client.workflow.getHandle(jobWorkflowId(id));
}
