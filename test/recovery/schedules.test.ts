import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { ensureSchedules, keepSchedules, restoreSchedules } from '../../worker/schedules.ts';
import { createLog } from '../../telemetry/logging.ts';
import { eventually } from '../support/eventually.ts';
import { openNamespace, type Temporal } from '../support/temporal.ts';

const LOG = createLog('silent');
const IDS = ['sweep', 'reconcile-recent', 'reconcile-full'];
let temporal: Temporal;
let client: Client;
beforeAll(async () => {
  temporal = await openNamespace();
  client = temporal.client;
});
afterAll(() => temporal?.close());

/** Retries like a worker, when a busy server did not respond in time. */
const ensured = (): Promise<void> =>
  eventually(async () => expect(await ensureSchedules(client, LOG)).toBe(0));

test('the schedules are created once by several starting workers and skip overlapping runs', async () => {
  await Promise.all([ensured(), ensured()]);
  await ensured();
  for (const id of IDS) {
    const { policies, action, state } = await client.schedule.getHandle(id).describe();
    expect(policies.overlap).toBe('SKIP');
    expect(action.staticSummary).toBeTruthy();
    expect(state.paused).toBe(false);
  }
  await eventually(async () => {
    const listed: string[] = [];
    for await (const { scheduleId } of client.schedule.list()) listed.push(scheduleId);
    expect(listed.toSorted()).toEqual(IDS.toSorted());
  });
});

test('a schedule paused by an operator stays paused when a worker starts', async () => {
  await ensured();
  const sweep = client.schedule.getHandle('sweep');
  await sweep.pause('looking into something');
  await ensured();
  const { state, spec } = await sweep.describe();
  expect(state).toMatchObject({ paused: true, note: 'looking into something' });
  expect(spec.intervals).toMatchObject([{ every: 60_000 }]);
});

test('a deleted schedule is restored, and one that an operator changed is kept', async () => {
  await ensured();
  const sweep = client.schedule.getHandle('sweep');
  await sweep.update((given) => ({ ...given, spec: { intervals: [{ every: '5 minutes' }] } }));
  await client.schedule.getHandle('reconcile-full').delete();
  await eventually(async () => expect(await restoreSchedules(client, LOG)).toBe(0));
  const { action } = await client.schedule.getHandle('reconcile-full').describe();
  expect(action.staticSummary).toBeTruthy();
  expect((await sweep.describe()).spec.intervals).toMatchObject([{ every: 300_000 }]);
});

test('a running worker restores all schedules when all are deleted', async () => {
  await ensured();
  await client.schedule.getHandle('sweep').delete();
  const kept = keepSchedules({ client: () => client, log: LOG });
  onTestFinished(() => kept.stop());
  // Created once, as at the start of the worker.
  await eventually(() => client.schedule.getHandle('sweep').describe());
  for (const id of IDS) await client.schedule.getHandle(id).delete();
  await eventually(
    async () => {
      for (const id of IDS) {
        expect((await client.schedule.getHandle(id).describe()).scheduleId).toBe(id);
      }
    },
    { timeoutMs: 60_000, everyMs: 500 },
  );
});
