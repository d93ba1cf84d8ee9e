import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { ensureSchedules, keepSchedules, restoreSchedules } from '../../worker/schedules.ts';
import { createLog } from '../../telemetry/logging.ts';
import { createScheduleClient } from '../../temporal/schedule-client.ts';
import { eventually } from '../support/eventually.ts';
import { problemOf } from '../support/responses.ts';
import { openShop, type Shop } from '../support/shop.ts';
import { openNamespace, type Temporal } from '../support/temporal.ts';

const OPTIONS = { log: createLog('silent'), timeZone: 'UTC' };
const IDS = [
  'sweep',
  'reconcile-recent',
  'reconcile-full',
  'report-sales-by-day',
  'report-refunds',
];
let temporal: Temporal;
let client: Client;
beforeAll(async () => {
  temporal = await openNamespace();
  client = temporal.client;
});
afterAll(() => temporal?.close());

/** Retries like a worker, when a busy server did not respond in time. */
const ensured = (): Promise<void> =>
  eventually(async () => expect(await ensureSchedules({ ...OPTIONS, client })).toBe(0));

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
  await eventually(async () => expect(await restoreSchedules({ ...OPTIONS, client })).toBe(0));
  const { action } = await client.schedule.getHandle('reconcile-full').describe();
  expect(action.staticSummary).toBeTruthy();
  expect((await sweep.describe()).spec.intervals).toMatchObject([{ every: 300_000 }]);
});

test('a running worker restores all schedules when all are deleted', async () => {
  await ensured();
  await client.schedule.getHandle('sweep').delete();
  const kept = keepSchedules({ ...OPTIONS, client: () => client, checkEveryMs: 1_000 });
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

/** Of all tests here, repeats included. */
const MOST_SENT = 30;

describe('the schedules over the API', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop({
      temporal: { schedules: createScheduleClient({ client: () => client }) },
    });
    await ensured();
    await eventually(async () => {
      if ((await list()).length < IDS.length) throw new Error('not all are listed yet');
    });
  });
  afterAll(() => shop?.close());

  const schedule = z.object({
    id: z.string(),
    summary: z.string().min(1),
    paused: z.boolean(),
    note: z.string().nullable(),
    next_at: z.array(z.iso.datetime()),
    recent: z.array(z.object({ started_at: z.iso.datetime(), workflow_id: z.string() })),
  });
  /** Asked again when a busy server did not respond in time. */
  const list = () =>
    eventually(async () => {
      const response = await shop.request('GET', '/v1/schedules', { role: 'operator' });
      return z.object({ data: z.array(schedule) }).parse(await response.json()).data;
    });
  const show = async (id: string) => (await list()).find((each) => each.id === id);
  let sent = 0;
  /** Repeats what Temporal has not answered in time, as the 503 asks: it may be done all the same. */
  const act = async (id: string, verb: string, body?: object): Promise<Response> => {
    sent += 1;
    const path = `/v1/schedules/${id}/${verb}`;
    const response = await shop.request('POST', path, { role: 'operator', body });
    return response.status === 503 && sent < MOST_SENT ? act(id, verb, body) : response;
  };
  const recorded = async (subject: string) => {
    const entries = await shop.db.auditEntry.findMany({
      where: { subject },
      orderBy: { id: 'asc' },
    });
    return entries.map(({ action, data }) => [action, data]);
  };

  test('the schedules are listed by id, each with what it does and when it runs next', async () => {
    const listed = await list();
    expect(listed.map(({ id }) => id)).toEqual(IDS.toSorted());
    for (const { id, paused, next_at: next } of listed) {
      expect(next.length > 0, id).toBe(!paused);
    }
  });

  test('a triggered schedule runs at once, and once while it is running', async () => {
    const runs = async () => (await show('reconcile-full'))?.recent.map((run) => run.workflow_id);
    const before = sent;
    expect((await act('reconcile-full', 'trigger')).status).toBe(202);
    const first = [expect.stringMatching(/^reconcile-full-/)];
    await eventually(async () => expect(await runs()).toEqual(first));
    expect((await act('reconcile-full', 'trigger')).status).toBe(202);
    const asked = sent - before;
    await eventually(async () => {
      const { info } = await client.schedule.getHandle('reconcile-full').describe();
      expect(info.numActionsSkippedOverlap).toBeGreaterThanOrEqual(1);
      expect(info.numActionsSkippedOverlap).toBeLessThan(asked);
    });
    expect(await runs()).toEqual(first);
  });

  test('a schedule is paused with a note and resumed, and the audit log has both without the note', async () => {
    const paused = await act('sweep', 'pause', { note: 'the warehouse is closed' });
    expect(paused.status).toBe(200);
    const closed = { paused: true, note: 'the warehouse is closed', next_at: [] };
    expect(await paused.json()).toMatchObject(closed);
    await ensured();
    expect(await show('sweep')).toMatchObject(closed);
    const resumed = await act('sweep', 'resume');
    expect(schedule.parse(await resumed.json())).toMatchObject({ paused: false });
    expect((await show('sweep'))?.next_at.length).toBeGreaterThan(0);
    expect(await recorded('sweep')).toEqual([
      ['schedule.paused', {}],
      ['schedule.resumed', {}],
    ]);
  });

  test.each([['trigger'], ['pause', { note: 'why' }], ['resume']])(
    'a %s of an unknown schedule returns 404 and is not recorded',
    async (verb, body?: object) => {
      expect(await problemOf(await act('nothing', verb, body))).toMatchObject({
        status: 404,
        code: 'schedule_not_found',
      });
      expect(await recorded('nothing')).toEqual([]);
    },
  );

  test.each([undefined, {}, { note: ' ' }, { note: 'why', until: 'x' }])(
    'a pause with the body %j is refused',
    async (body) => {
      expect([400, 422]).toContain((await act('sweep', 'pause', body)).status);
      expect((await show('sweep'))?.paused).toBe(false);
    },
  );

  test('without Temporal each call is refused in words and nothing is recorded', async () => {
    const away = await openShop({ databaseUrl: shop.databaseUrl });
    onTestFinished(away.close);
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/recheck/trigger'],
    ]) {
      const response = await away.request(method ?? '', `/v1/schedules${path}`, {
        role: 'operator',
      });
      expect(response.headers.get('retry-after')).toBe('10');
      expect(await problemOf(response)).toMatchObject({
        status: 503,
        code: 'schedules_unavailable',
      });
    }
    expect(await recorded('recheck')).toEqual([]);
  });

  test('the page Health of the console shows the schedules, and its buttons pause and resume one', async () => {
    const press = (path: string, fields: Record<string, string>, cookie = '') =>
      shop.request('POST', `/console${path}`, {
        role: null,
        body: new URLSearchParams(fields).toString(),
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          origin: 'http://localhost',
          cookie,
        },
      });
    const session = await press('/sign-in', { key: 'hf_local_operator' });
    const cookie = session.headers.get('set-cookie')?.split(';')[0] ?? '';
    const part = async () => {
      const path = '/console/health?part=schedules';
      return (await shop.request('GET', path, { role: null, headers: { cookie } })).text();
    };
    const fields = { key: 'a press', id: 'sweep' };
    await press('/health', { ...fields, action: 'pause', note: 'a <b>bold</b> reason' }, cookie);
    await eventually(async () => {
      expect(await part()).toContain('a &lt;b&gt;bold&lt;/b&gt; reason');
    });
    await press('/health', { ...fields, action: 'resume' }, cookie);
    expect(await show('sweep')).toMatchObject({ paused: false });
  });
});
