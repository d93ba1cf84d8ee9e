import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureSchedules } from '../../worker/schedules.ts';
import { eventually } from '../support/eventually.ts';
import { openNamespace, type Temporal } from '../support/temporal.ts';

let temporal: Temporal;
let client: Client;
beforeAll(async () => {
  temporal = await openNamespace();
  client = temporal.client;
});
afterAll(() => temporal?.close());

/** Retries like a worker, when a busy server did not respond in time. */
const ensured = (): Promise<void> => eventually(() => ensureSchedules(client));

test('the schedules are created once by several starting workers and skip overlapping runs', async () => {
  await Promise.all([ensured(), ensured()]);
  await ensured();
  const ids = ['sweep', 'reconcile-recent', 'reconcile-full'];
  for (const id of ids) {
    const { policies, action, state } = await client.schedule.getHandle(id).describe();
    expect(policies.overlap).toBe('SKIP');
    expect(action.staticSummary).toBeTruthy();
    expect(state.paused).toBe(false);
  }
  await eventually(async () => {
    const listed: string[] = [];
    for await (const { scheduleId } of client.schedule.list()) listed.push(scheduleId);
    expect(listed.toSorted()).toEqual(ids.toSorted());
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
