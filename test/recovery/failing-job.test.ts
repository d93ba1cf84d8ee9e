import { expect, test } from 'vitest';
import { recoverStuckJob } from '../../activities/operations/stuck-jobs.ts';
import { jobStartOptions } from '../../workflows/jobs/contract.ts';
import { eventually } from '../support/eventually.ts';
import { jobsOf, PARAMS } from '../support/job-workflows.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { deploy, startWithShortTasks } from './operations.ts';

const shop = useRunningShop({ queues: ['events', 'jobs'] });

test('a job whose workflow task keeps failing has failed after a sweep, and is resumed with the next deployment', async () => {
  const { create, handleOf, jobOf, resume } = jobsOf(shop);
  await deploy(shop, 'broken', 'events');
  const id = await create('report', PARAMS);
  await startWithShortTasks(shop, 'report', jobStartOptions({ jobId: id, type: 'refunds' }));
  await eventually(async () => {
    expect(await shop.services.jobs.inspect(id)).toEqual({ kind: 'failing' });
  });
  const began = { status: 'running', startedAt: new Date() } as const;
  await shop.db.job.update({ where: { id }, data: began });
  const deps = { db: shop.db, jobs: shop.services.jobs };
  expect(await recoverStuckJob(deps, { id, type: 'refunds' })).toBe('failed');
  expect(await jobOf(id)).toMatchObject({
    status: 'failed',
    error: 'the workflow task keeps failing',
  });
  expect((await handleOf(id).describe()).status.name).toBe('TERMINATED');
  await deploy(shop, 'ours', 'events');
  await resume(id);
  expect((await handleOf(id).result()).status).toBe('succeeded');
});
