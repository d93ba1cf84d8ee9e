import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { isJobId, type JobId } from '../../domain/ids.ts';
import { newId } from '../../prisma/client/ids.ts';
import { EVENTS_TASK_QUEUE } from '../../workflows/events/contract.ts';
import { REQUEST_REPORT_WORKFLOW } from '../../workflows/jobs/contract.ts';
import { SWEEP_WORKFLOW } from '../../workflows/operations/contract.ts';
import { currentDetailsOf } from '../support/expectations.ts';
import { jobsOf, PARAMS, WINDOW } from '../support/job-workflows.ts';
import { useSkippingShop } from '../support/use-shop.ts';

const shop = useSkippingShop({ queues: ['events', 'jobs'] });
const { create, handleOf, jobOf, resume, start, untilRetried } = jobsOf(shop);

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
    const [link] = mail?.text.match(/\/downloads\/\S+output\.csv\?token=\S+/) ?? [];
    expect(mail?.text).toContain(`https://shop.test/downloads/${id}/output.csv?token=`);
    // More than are sent at once: a preview of a mail asks without reading.
    for (let asked = 0; asked < 20; asked += 1) {
      expect((await shop.request('HEAD', link ?? '')).status).toBe(200);
    }
    expect((await shop.request('GET', link ?? '')).status).toBe(200);
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

  test('a workflow of a job that does not exist, or with an unknown input, ends without a trace', async () => {
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

async function sweep(): Promise<void> {
  const workflowId = `sweep/${randomUUID()}`;
  const options = { workflowId, taskQueue: EVENTS_TASK_QUEUE };
  await shop.temporal.client.workflow.execute(SWEEP_WORKFLOW, options);
}
