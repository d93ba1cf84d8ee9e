import { describe, expect, test } from 'vitest';
import { createAdmission } from '../../api/limits/concurrency-limit.ts';
import { eventually } from '../support/eventually.ts';
import { LIMITS, listening, times } from './low-limits.ts';

const kindsOf = async (entries: readonly Promise<{ readonly kind: string }>[]) =>
  (await Promise.all(entries)).map(({ kind }) => kind);

describe('admission', () => {
  test('requests over the running limit are queued and then admitted; those over the queue limit are rejected at once', async () => {
    const admission = createAdmission(LIMITS);
    const entries = times(6, () => admission.enter(listening()));
    expect(await entries[5]).toEqual({ kind: 'overloaded' });
    expect(admission.view()).toMatchObject({ running: 2, waiting: 3 });
    for (const each of entries.slice(0, 5)) {
      const entry = await each;
      expect(entry.kind).toBe('admitted');
      expect(admission.view().running).toBeLessThanOrEqual(2);
      if (entry.kind === 'admitted') entry.pass.leave('done');
    }
    expect(admission.view()).toMatchObject({ running: 0, waiting: 0 });
  });

  test('a busy process runs fewer requests at once, and more again when its load drops', async () => {
    const busy = { share: 1 };
    const limits = { ...LIMITS, maxRunning: 8, minRunning: 2, maxWaiting: 100 };
    const admission = createAdmission(limits, { busyness: () => busy.share });
    for (let i = 0; i < 10; i += 1) {
      const entry = await admission.enter(listening());
      if (entry.kind === 'admitted') entry.pass.leave('done');
    }
    const [first] = times(20, () => admission.enter(listening()));
    expect(admission.view()).toMatchObject({ running: 2, waiting: 18 });
    busy.share = 0.5;
    const entry = await first;
    if (entry?.kind === 'admitted') entry.pass.leave('done');
    expect(admission.view()).toMatchObject({ running: 8, waiting: 11 });
  });

  test('a permit that is released twice is counted once', async () => {
    const admission = createAdmission(LIMITS);
    const entry = await admission.enter(listening());
    if (entry.kind !== 'admitted') throw new Error('there is room');
    entry.pass.leave('done');
    entry.pass.leave('done');
    expect(admission.view().running).toBe(0);
  });

  test('a stalled queue that is not full rejects a new request and later admits the one that waits', async () => {
    const admission = createAdmission({ ...LIMITS, standingAfterMs: 1 });
    const running = times(2, () => admission.enter(listening()));
    const first = admission.enter(listening());
    await eventually(async () => {
      const entry = await admission.enter(AbortSignal.timeout(10));
      expect(entry.kind).toBe('overloaded');
    });
    for (const each of running) {
      const entry = await each;
      if (entry.kind === 'admitted') entry.pass.leave('done');
    }
    expect((await first).kind).toBe('admitted');
  });

  test('a request that could not be served within the maximum wait is rejected at once', async () => {
    let nowMs = 0;
    const limits = { ...LIMITS, maxWaiting: 100, maxStanding: 100, maxWaitMs: 10_000 };
    const admission = createAdmission(limits, { nowMs: () => nowMs });
    const entries = times(12, () => admission.enter(listening()));
    // One a second: of ten seconds' wait eight are counted on, and eight stand in line already.
    for (const each of entries.slice(0, 4)) {
      nowMs += 1_000;
      const entry = await each;
      if (entry.kind === 'admitted') entry.pass.leave('done');
    }
    expect(admission.view()).toMatchObject({ running: 2, waiting: 6 });
    const later = times(3, () => admission.enter(listening()));
    expect(await later[2]).toEqual({ kind: 'overloaded' });
    expect(admission.view()).toMatchObject({ running: 2, waiting: 8 });
  });

  test('a queued request is rejected after the maximum wait, and one whose client disconnects leaves the queue', async () => {
    const admission = createAdmission({ ...LIMITS, maxWaitMs: 20 });
    const running = times(2, () => admission.enter(listening()));
    const client = new AbortController();
    const [late, gone] = [admission.enter(listening()), admission.enter(client.signal)];
    client.abort();
    expect(await kindsOf([late, gone])).toEqual(['overloaded', 'gone']);
    expect(await kindsOf([admission.enter(client.signal)])).toEqual(['gone']);
    expect(await kindsOf(running)).toEqual(['admitted', 'admitted']);
    expect(admission.view()).toEqual({
      running: 2,
      waiting: 0,
      refused: { overloaded: 1, database_unavailable: 0, gone: 2, stopping: 0 },
    });
  });

  test('queued requests are rejected as database_unavailable when a running request finds no database', async () => {
    const admission = createAdmission(LIMITS);
    const [first] = await Promise.all(times(2, () => admission.enter(listening())));
    const line = times(3, () => admission.enter(listening()));
    if (first?.kind === 'admitted') first.pass.leave('database_unavailable');
    expect(await kindsOf(line)).toEqual(times(3, () => 'database_unavailable'));
    expect((await admission.enter(listening())).kind).toBe('admitted');
  });
});
