/**
 * The cancel of a job that waits for another attempt. On the dev server: the one that skips time forgets a
 * cancel that arrives while an attempt is failing, and lets the workflow time out.
 */
import { WorkflowFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';
import type { JobId } from '../../domain/ids.ts';
import { jobsOf, PARAMS } from '../support/job-workflows.ts';
import { useRunningShop } from '../support/use-shop.ts';

const shop = useRunningShop({ queues: ['events', 'jobs'] });
const { create, handleOf, jobOf, resume, start, untilRetried } = jobsOf(shop);

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

async function expectCancelled(id: JobId): Promise<void> {
  await expect(handleOf(id).result()).rejects.toThrow(WorkflowFailedError);
  expect((await handleOf(id).describe()).status.name).toBe('CANCELLED');
  expect(await jobOf(id)).toMatchObject({ status: 'cancelled', error: null });
}
