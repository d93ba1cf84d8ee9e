import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import type { NewDeadLetter } from '../../prisma/events/dead-letters.ts';
import { eventually } from '../support/eventually.ts';
import { problemOf } from '../support/responses.ts';
import { placedOrder } from '../support/orders.ts';
import { openShopForTest, useShop } from '../support/shop.ts';
import { deadLetterFixture } from './dead-letter-fixture.ts';

const shop = useShop();
let orderId: OrderId;
beforeAll(async () => {
  orderId = await placedOrder(shop);
});
beforeEach(async () => {
  await shop.db.deadLetter.deleteMany({});
});

const deadLetter = (given: Partial<NewDeadLetter>, { db } = shop) =>
  deadLetterFixture(db, orderId, given);

describe('POST /v1/dead-letters/redrive', () => {
  const fingerprint = 'analytics: HTTP N';
  const many = (body: object) =>
    shop.request('POST', '/v1/dead-letters/redrive', { role: 'operator', body });
  const write = async (count: number, where = shop) => {
    for (let n = 0; n < count; n += 1) await deadLetter({ error: `HTTP ${500 + n}` }, where);
  };
  const progressOf = async (response: Response, where = shop) => {
    const path = response.headers.get('location') ?? '';
    return (await where.request('GET', path, { role: 'operator' })).json();
  };
  const statusCounts = async () => {
    const rows = await shop.db.deadLetter.groupBy({ by: 'status', _count: { _all: true } });
    return Object.fromEntries(rows.map(({ status, _count }) => [status, _count._all]));
  };

  test('a bulk redrive as a dry run returns the number of matching dead letters and changes nothing', async () => {
    await write(3);
    await deadLetter({ error: 'another cause' });
    const response = await many({ fingerprint, rate: 10, dry_run: true });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      object: 'redrive',
      fingerprint,
      rate: 10,
      dry_run: true,
      matching: 3,
      redriving: 3,
    });
    expect(await statusCounts()).toEqual({ open: 4 });
  });

  test('a bulk redrive redrives each dead letter of one fingerprint once and no faster than its rate', async () => {
    await write(10);
    await deadLetter({ error: 'another cause' });
    const startedAt = performance.now();
    expect((await many({ fingerprint, rate: 20, note: 'mended' })).status).toBe(202);
    const again = await problemOf(await many({ fingerprint, rate: 20 }));
    expect(again.code).toBe('redrive_in_progress');
    await eventually(() => expect(shop.deliveries.deliveries).toHaveLength(10));
    expect(performance.now() - startedAt).toBeGreaterThan(440);
    const events = new Set(shop.deliveries.deliveries.map(({ eventId }) => eventId));
    expect(events.size).toBe(10);
    expect(await statusCounts()).toEqual({ redriven: 10, open: 1 });
  });

  test('a bulk redrive goes on after dead letters that fail, which stay open and are logged by id', async () => {
    shop.logged.length = 0;
    await write(3);
    const broken = await deadLetter({ eventId: null, error: 'HTTP 500' });
    await write(3);
    const started = await many({ fingerprint, rate: 500 });
    await eventually(async () => {
      const ended = { status: 'completed', redriven: 6, failed: 1 };
      expect(await progressOf(started)).toMatchObject(ended);
    });
    expect(shop.deliveries.deliveries).toHaveLength(6);
    expect(await statusCounts()).toEqual({ redriven: 6, open: 1 });
    const failed = shop.logged.map((line) => JSON.parse(line)).filter(({ loop }) => loop);
    expect(failed).toMatchObject([{ loop: 'bulk_redrive', item: broken }]);
  });

  test('a bulk redrive while Temporal is unavailable ends and leaves every dead letter open', async () => {
    await write(40);
    shop.checkouts.reachable = false;
    const started = await many({ fingerprint, rate: 500 });
    await eventually(async () => {
      const next = await many({ fingerprint, rate: 1, dry_run: true });
      expect(await next.json()).toMatchObject({ matching: 40 });
      expect(shop.logged.join()).toContain('dead letters redriven');
    });
    expect(shop.deliveries.deliveries).toEqual([]);
    await eventually(async () => {
      expect(await progressOf(started)).toMatchObject({ status: 'stopped', redriven: 0 });
    });
  });

  test('a shutdown during a bulk redrive starts no further delivery and leaves the rest open', async () => {
    const own = await openShopForTest();
    await write(30, own);
    const body = { fingerprint, rate: 20 };
    const path = '/v1/dead-letters/redrive';
    const started = await own.request('POST', path, { role: 'operator', body });
    await eventually(() => expect(own.deliveries.deliveries.length).toBeGreaterThan(1));
    await own.services.redriver.drain();
    const open = await own.db.deadLetter.count({ where: { status: 'open' } });
    expect(open).toBe(30 - own.deliveries.deliveries.length);
    expect(open).toBeGreaterThan(0);
    const redriven = own.deliveries.deliveries.length;
    expect(await progressOf(started, own)).toMatchObject({
      status: 'stopped',
      redriven,
      failed: 0,
    });
  });

  test.each([
    { fingerprint },
    { fingerprint, rate: 0 },
    { fingerprint, rate: 501 },
    { fingerprint: '', rate: 1 },
    { rate: 1 },
  ])('a bulk redrive with the body %j returns 422', async (body) => {
    expect((await many(body)).status).toBe(422);
  });
});

describe('the progress of a bulk redrive', () => {
  const fingerprint = 'analytics: HTTP N';
  const shown = (path: string, where = shop) => where.request('GET', path, { role: 'operator' });

  test('a redrive answers with its progress, which any process shows from its start to its end', async () => {
    for (const error of ['HTTP 500', 'HTTP 502', 'HTTP 503']) await deadLetter({ error });
    const other = await openShopForTest({ databaseUrl: shop.databaseUrl });
    const body = { fingerprint, rate: 1, note: 'mended' };
    const many = '/v1/dead-letters/redrive';
    const response = await shop.request('POST', many, { role: 'operator', body });
    expect(response.status).toBe(202);
    const started = redrive.parse(await response.json());
    const path = `/v1/dead-letters/redrives/${started.id}`;
    expect(response.headers.get('location')).toBe(path);
    expect(started).toMatchObject({
      object: 'redrive',
      status: 'running',
      fingerprint,
      rate: 1,
      dry_run: false,
      actor: expect.any(String),
      matching: 3,
      redriving: 3,
      redriven: 0,
      failed: 0,
      finished_at: null,
    });
    const seen: number[] = [];
    await eventually(async () => {
      const now = redrive.parse(await (await shown(path, other)).json());
      if (now.status === 'running') seen.push(now.redriven);
      expect(now).toMatchObject({
        status: 'completed',
        redriven: 3,
        finished_at: expect.any(String),
      });
    });
    // Its row was written in between: one a second is redriven.
    expect(seen.some((redriven) => redriven === 1 || redriven === 2)).toBe(true);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    const list = await shown('/v1/dead-letters/redrives?limit=1', other);
    expect(await list.json()).toMatchObject({ data: [{ id: started.id }], has_more: true });
  });

  test('a redrive whose process was killed is shown as interrupted', async () => {
    const killed = {
      id: 'rdr_01k9zq3v5nfa3s4w1m6t2y8h7c',
      fingerprint,
      ratePerSecond: 1,
      actor: 'x',
      matching: 9,
      redriving: 9,
      redriven: 4,
    };
    await shop.db.redrive.create({ data: killed });
    const path = `/v1/dead-letters/redrives/${killed.id}`;
    expect(await (await shown(path)).json()).toMatchObject({ status: 'running' });
    await shop.db.$executeRaw`
      UPDATE redrives SET updated_at = now() - interval '61 seconds' WHERE id = ${killed.id}`;
    const interrupted = { status: 'interrupted', redriven: 4, finished_at: null };
    expect(await (await shown(path)).json()).toMatchObject(interrupted);
  });

  test('a redrive that does not exist is not found', async () => {
    const problem = await problemOf(await shown('/v1/dead-letters/redrives/rdr_x'));
    expect(problem.code).toBe('redrive_not_found');
  });
});

const redrive = z.looseObject({ id: z.string(), status: z.string(), redriven: z.number() });
