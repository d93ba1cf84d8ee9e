import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { recordDifference } from '../../prisma/differences.ts';
import { closeReconciliation } from '../../prisma/reconciliation.ts';
import { problemOf } from './bodies.ts';
import { createShop, type Shop } from './shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await createShop();
});
beforeEach(async () => {
  shop.checkouts.reachable = true;
  await shop.db.difference.deleteMany();
  await shop.db.reconciliation.deleteMany();
});
afterAll(() => shop.close());

const PATH = '/v1/reconciliations';
const run = z.looseObject({ id: z.string(), status: z.string(), scope: z.string() });

test('one is started at a time: the repeat is given the one that runs', async () => {
  const first = await ask('POST', PATH, { scope: 'full' });
  expect(first.status).toBe(202);
  const started = run.parse(await first.json());
  expect(started).toMatchObject({ status: 'running', scope: 'full' });
  expect(first.headers.get('location')).toBe(`${PATH}/${started.id}`);
  const repeats = await Promise.all([1, 2, 3].map(() => ask('POST', PATH)));
  for (const repeat of repeats) {
    expect(repeat.status).toBe(202);
    expect(run.parse(await repeat.json()).id).toBe(started.id);
  }
  const deeds = await shop.db.auditEntry.findMany({ where: { subject: started.id } });
  expect(deeds.map(({ action }) => action)).toEqual(['reconciliation.started']);
});

test('the report has the run and its differences; the list has the last runs', async () => {
  const { id } = run.parse(await (await ask('POST', PATH)).json());
  await recordDifference(shop.db, id, {
    kind: 'charge_without_order',
    subject: 'pi_1',
    orderId: null,
    ours: {},
    theirs: { state: 'captured', captured_minor: 4_200 },
  });
  await closeReconciliation(shop.db, id, { status: 'completed', checked: { payments: 7 } });
  const report: unknown = await (await ask('GET', `${PATH}/${id}`)).json();
  expect(report).toMatchObject({
    status: 'completed',
    found: 1,
    resolved: 0,
    checked: { payments: 7 },
    differences: [
      { kind: 'charge_without_order', subject: 'pi_1', theirs: { captured_minor: 4_200 } },
    ],
  });
  const list: unknown = await (await ask('GET', PATH)).json();
  expect(list).toMatchObject({ object: 'list', data: [{ id, found: 1 }], has_more: false });
});

test('without Temporal nothing is begun, and the next call can begin', async () => {
  shop.checkouts.reachable = false;
  const refused = await ask('POST', PATH);
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(await problemOf(refused)).toMatchObject({ status: 503, code: 'upkeep_unavailable' });
  shop.checkouts.reachable = true;
  expect((await ask('POST', PATH)).status).toBe(202);
});

test('is for operators, and an unknown one is not found', async () => {
  const storefront = await shop.ask('POST', PATH, { role: 'storefront' });
  expect((await problemOf(storefront)).code).toBe('forbidden');
  expect((await problemOf(await ask('GET', `${PATH}/rec_none`))).code).toBe(
    'reconciliation_not_found',
  );
  expect((await problemOf(await ask('POST', PATH, { scope: 'all' }))).code).toBe('invalid_request');
});

function ask(method: string, path: string, body?: object): Promise<Response> {
  return shop.ask(method, path, { role: 'operator', ...(body && { body }) });
}
