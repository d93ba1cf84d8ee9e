import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { isJobId, jobWorkflowId, type JobId } from '../../domain/ids.ts';
import type { JobKind } from '../../domain/jobs.ts';
import { startJobAndMark } from '../../services/job-starter.ts';
import { newId } from '../../prisma/client/ids.ts';
import { createScheduledJob, requireJob } from '../../prisma/jobs/jobs.ts';
import { EVENTS_TASK_QUEUE } from '../../workflows/events/contract.ts';
import { REQUEST_REPORT_WORKFLOW, type JobResult } from '../../workflows/jobs/contract.ts';
import { SWEEP_WORKFLOW } from '../../workflows/operations/contract.ts';
import { eventually } from '../support/eventually.ts';
import { currentDetailsOf } from '../support/expectations.ts';
import { useSkippingShop } from '../support/use-shop.ts';

const shop = useSkippingShop({ queues: ['events', 'jobs'] });

const WINDOW = { from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' };
const PARAMS = { ...WINDOW, time_zone: 'UTC' };
/** An attempt fails at once, in a way that is retried for minutes. */
const BROKEN = WINDOW;

describe('a job', () => {
  test('a report ends with its result, its card says so, and its operator gets a mail with links', async () => {
    const email = `${randomUUID()}@shop.example`;
    const id = await request({ type: 'refunds', ...WINDOW, notify_email: email });
    const handle = handleOf(id);
    expect(await handle.result()).toEqual({
      status: 'succeeded',
      progress: { total: 0, done: 0, failed: 0 },
    });
    expect(await jobOf(id)).toMatchObject({ status: 'succeeded', notifyEmail: null });
    expect(await currentDetailsOf(handle)).toMatch(/^Succeeded: 0 of 0 \(100 %\)\./);
    expect(await (await handle.describe()).staticSummary()).toBe('report: refunds');
    const [mail, another] = shop.sandbox.inbox.mails(email);
    expect(another).toBeUndefined();
    expect(mail?.text).toContain(`https://shop.test/downloads/${id}/output.csv?token=`);
    expect(JSON.stringify(await handle.fetchHistory())).not.toContain(email);
  });

  test.each(['report', 'import', 'bulk'] as const)(
    'a %s whose attempts are used up has failed with the cause, and continues when it is resumed',
    async (kind) => {
      const id = await create(kind, BROKEN);
      await start(id);
      await expect(handleOf(id).result()).rejects.toThrow(WorkflowFailedError);
      const failed = await jobOf(id);
      expect(failed.status).toBe('failed');
      expect(failed.error).toMatch(/^runJob: /);
      expect(await currentDetailsOf(handleOf(id))).toMatch(/^Failed: /);
      await shop.db.job.update({ where: { id }, data: { params: PARAMS } });
      if (kind !== 'report') return;
      await resume(id);
      expect((await handleOf(id).result()).status).toBe('succeeded');
      expect(await jobOf(id)).toMatchObject({ status: 'succeeded', error: null });
    },
  );

  test('a job that waits for another attempt is cancelled by the API at once', async () => {
    const id = await create('report', PARAMS, 'of another version');
    await start(id);
    await untilRetried(id);
    const cancelled = await shop.request('POST', `/v1/reports/${id}/cancel`, { role: 'operator' });
    expect(await cancelled.json()).toMatchObject({ status: 'cancelling' });
    await expectCancelled(id);
  });

  test('a job that is cancelled from the Web UI is cancelled in the records, and begins again when it is resumed', async () => {
    const id = await create('report', PARAMS, 'of another version');
    await start(id);
    await untilRetried(id);
    await handleOf(id).cancel();
    await expectCancelled(id);
    await shop.db.job.update({ where: { id }, data: { type: 'refunds' } });
    await resume(id);
    expect((await handleOf(id).result()).status).toBe('succeeded');
  });

  test('a job whose workflow was terminated has failed after a sweep, and one that Temporal lost is started again', async () => {
    const terminated = await create('report', PARAMS, 'of another version');
    await start(terminated);
    await untilRetried(terminated);
    await handleOf(terminated).terminate();
    const lost = await create('report', PARAMS);
    await shop.db.job.update({ where: { id: lost }, data: { workflowStartedAt: new Date() } });
    const idle = { progressAt: new Date(Date.now() - 60_000) };
    await shop.db.job.updateMany({ where: { id: { in: [terminated, lost] } }, data: idle });
    await sweep();
    expect(await jobOf(terminated)).toMatchObject({
      status: 'failed',
      error: 'the workflow was terminated',
    });
    expect((await handleOf(lost).result()).status).toBe('succeeded');
  });

  test('a workflow of a job that does not exist, or with an input of nobody, ends without a trace', async () => {
    const id = newId('report');
    await start(id);
    expect((await handleOf(id).result()).status).toBe('not_due');
    const workflowId = `report/${randomUUID()}`;
    const options = { workflowId, taskQueue: EVENTS_TASK_QUEUE, args: [{ jobId: id }] };
    const wrong = shop.temporal.client.workflow.execute('report', options);
    await expect(wrong).rejects.toThrow();
  });
});

test('the workflow of a schedule requests the report of the day before, once', async () => {
  const workflowId = `report-sales-by-day-${randomUUID()}`;
  await shop.temporal.client.workflow.execute(REQUEST_REPORT_WORKFLOW, {
    workflowId,
    taskQueue: EVENTS_TASK_QUEUE,
    args: [{ type: 'sales_by_day' }],
  });
  const jobs = await shop.db.job.findMany({ where: { type: 'sales_by_day' } });
  expect(jobs).toHaveLength(1);
  const [job] = jobs;
  if (job === undefined || !isJobId(job.id)) throw new Error('no job');
  expect(job.actor).toBe('schedule');
  const { from, to } = z.object({ from: z.string(), to: z.string() }).parse(job.params);
  expect(from).toMatch(/T00:00:00\.000Z$/);
  expect(Date.parse(to) - Date.parse(from)).toBe(24 * 3_600_000);
  expect((await handleOf(job.id).result()).status).toBe('succeeded');
});

async function request(body: object): Promise<JobId> {
  const key = randomUUID();
  const response = await shop.request('POST', '/v1/reports', { role: 'operator', key, body });
  const { id } = z.looseObject({ id: z.string() }).parse(await response.json());
  if (!isJobId(id)) throw new Error(`no job: ${id}`);
  await shop.services.starts.drain();
  return id;
}

async function create(kind: JobKind, params: object, type = 'refunds'): Promise<JobId> {
  const id = newId(kind);
  await createScheduledJob(shop.db, { id, kind, type, params: { ...params } });
  return id;
}

async function resume(id: JobId): Promise<void> {
  const resumed = await shop.request('POST', `/v1/reports/${id}/resume`, { role: 'operator' });
  expect(resumed.status).toBe(202);
  await shop.services.starts.drain();
}

function start(id: JobId) {
  return startJobAndMark({ db: shop.db, jobs: shop.services.jobs }, { id, type: 'refunds' });
}

function handleOf(id: JobId): WorkflowHandle<() => Promise<JobResult>> {
  return shop.temporal.client.workflow.getHandle(jobWorkflowId(id));
}

function jobOf(id: JobId) {
  return requireJob(shop.db, id);
}

/** Its attempt has failed, and another one waits. */
async function untilRetried(id: JobId): Promise<void> {
  await eventually(async () => {
    const [pending] = (await handleOf(id).describe()).raw.pendingActivities ?? [];
    expect(pending?.attempt).toBeGreaterThan(1);
  });
}

async function expectCancelled(id: JobId): Promise<void> {
  await expect(handleOf(id).result()).rejects.toThrow(WorkflowFailedError);
  expect((await handleOf(id).describe()).status.name).toBe('CANCELLED');
  expect(await jobOf(id)).toMatchObject({ status: 'cancelled', error: null });
}

async function sweep(): Promise<void> {
  const workflowId = `sweep/${randomUUID()}`;
  const options = { workflowId, taskQueue: EVENTS_TASK_QUEUE };
  await shop.temporal.client.workflow.execute(SWEEP_WORKFLOW, options);
}
