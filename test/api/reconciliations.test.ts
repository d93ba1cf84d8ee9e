import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { runRecovery } from '../../services/recovery.ts';
import { recordDiscrepancy } from '../../prisma/operations/discrepancies.ts';
import { closeReconciliation } from '../../prisma/operations/reconciliation-runs.ts';
import { problemOf } from '../support/responses.ts';
import { times } from '../support/times.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();
beforeEach(async () => {
  await shop.db.discrepancy.deleteMany();
  await shop.db.reconciliation.deleteMany();
});

const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 100 };
const PATH = '/v1/reconciliations';
const run = z.looseObject({ id: z.string(), status: z.string(), scope: z.string() });

test('one reconciliation runs at a time, and a repeated start returns the running one', async () => {
  const first = await start({ scope: 'full' });
  expect(first.status).toBe(202);
  const started = run.parse(await first.json());
  expect(started).toMatchObject({ status: 'running', scope: 'full' });
  expect(first.headers.get('location')).toBe(`${PATH}/${started.id}`);
  const repeats = await Promise.all([1, 2, 3].map(() => start()));
  for (const repeat of repeats) {
    expect(repeat.status).toBe(202);
    expect(run.parse(await repeat.json()).id).toBe(started.id);
  }
  const actions = await shop.db.auditEntry.findMany({ where: { subject: started.id } });
  expect(actions.map(({ action }) => action)).toEqual(['reconciliation.started']);
});

test('the reconciliation report shows the run and its discrepancies, and the list shows the last run', async () => {
  const { id } = run.parse(await (await start()).json());
  await recordDiscrepancy(shop.db, id, {
    kind: 'charge_without_order',
    subject: 'pi_1',
    orderId: null,
    ours: {},
    theirs: { state: 'captured', captured_minor: 4_200 },
  });
  await closeReconciliation(shop.db, id, { status: 'completed', checked: { payments: 7 } });
  const report: unknown = await (await read(`${PATH}/${id}`)).json();
  expect(report).toMatchObject({
    status: 'completed',
    found: 1,
    resolved: 0,
    checked: { payments: 7 },
    discrepancies: [
      { kind: 'charge_without_order', subject: 'pi_1', theirs: { captured_minor: 4_200 } },
    ],
  });
  const list: unknown = await (await read(PATH)).json();
  expect(list).toMatchObject({ object: 'list', data: [{ id, found: 1 }], has_more: false });
});

test('a reconciliation key replays the same response after the run ended, and another body is refused', async () => {
  const first = await start({ scope: 'full' }, 'same');
  const body = await first.text();
  const { id } = run.parse(JSON.parse(body));
  await closeReconciliation(shop.db, id, { status: 'completed', checked: {} });
  const again = await start({ scope: 'full' }, 'same');
  expect([again.status, await again.text()]).toEqual([202, body]);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(again.headers.get('location')).toBe(`${PATH}/${id}`);
  const other = await problemOf(await start({ scope: 'recent' }, 'same'));
  expect(other).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
  expect(run.parse(await (await start()).json()).id).not.toBe(id);
});

test('20 concurrent reconciliation starts with one key create one run and get the same response', async () => {
  const responses = await Promise.all(times(20, () => start({}, 'crowd')));
  expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(202));
  expect(new Set(await Promise.all(responses.map((each) => each.text()))).size).toBe(1);
  expect(await shop.db.reconciliation.count()).toBe(1);
});

test('a key that was given the running reconciliation returns the same one after it ended', async () => {
  const { id } = run.parse(await (await start()).json());
  expect(run.parse(await (await start({}, 'guest')).json()).id).toBe(id);
  await closeReconciliation(shop.db, id, { status: 'completed', checked: {} });
  expect(run.parse(await (await start({}, 'guest')).json()).id).toBe(id);
});

test('a reconciliation requested while Temporal is unavailable is accepted and started once afterwards', async () => {
  shop.checkouts.reachable = false;
  const accepted = await start();
  expect(accepted.status).toBe(202);
  const { id } = run.parse(await accepted.json());
  await shop.services.starts.drain();
  expect((await runRecovery(shop.services, NOW)).started).toBe(0);
  shop.checkouts.reachable = true;
  expect((await runRecovery(shop.services, NOW)).started).toBe(1);
  expect((await runRecovery(shop.services, NOW)).started).toBe(0);
  expect(shop.reconciliationClient.started.filter((each) => each === id)).toHaveLength(1);
});

test('a reconciliation is refused for a storefront, an unknown id, an unknown scope, and a missing key', async () => {
  const storefront = await shop.request('POST', PATH, { role: 'storefront', key: randomUUID() });
  expect((await problemOf(storefront)).code).toBe('forbidden');
  expect((await problemOf(await read(`${PATH}/rec_none`))).code).toBe('reconciliation_not_found');
  expect((await problemOf(await start({ scope: 'all' }))).code).toBe('invalid_request');
  const keyless = await shop.request('POST', PATH, { role: 'operator' });
  expect((await problemOf(keyless)).code).toBe('idempotency_key_required');
});

function start(body?: object, key: string = randomUUID()): Promise<Response> {
  return shop.request('POST', PATH, { role: 'operator', key, ...(body && { body }) });
}

function read(path: string): Promise<Response> {
  return shop.request('GET', path, { role: 'operator' });
}
