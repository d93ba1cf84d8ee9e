import { describe, expect, test } from 'vitest';
import type { Operation, Place } from '../../local/sandbox/faults.ts';
import { MODES, OPERATIONS, PROVIDERS } from '../../local/sandbox/faults.ts';
import { call, counted, openSandbox, reserveCall } from './shop.ts';
import { times } from '../support/times.ts';

const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;

describe('the control API', () => {
  test('the control API arms a fault, lists how often it fired, and clears it', async () => {
    const sandbox = await openSandbox();
    const body = { mode: 'fail_before', times: 1 };
    const path = '/faults/warehouse/reserve';
    expect(await call(sandbox, { path, method: 'PUT', body })).toMatchObject({ status: 200 });
    await call(sandbox, reserveCall());
    await call(sandbox, reserveCall());
    const { body: listed } = await call(sandbox, { path: '/faults', method: 'GET' });
    expect(listed).toEqual({
      faults: [{ ...RESERVE, ...body, times: 0, rate: 1, seed: 1, fired: 1 }],
    });
    await call(sandbox, { path: '/faults', method: 'DELETE' });
    expect(sandbox.faults.list()).toEqual([]);
  });

  test.each([
    ['/faults/bank/authorize', { mode: 'down' }, 'bank/authorize'],
    ['/faults/payments/reserve', { mode: 'down' }, 'payments/reserve'],
    ['/faults/payments/toString', { mode: 'down' }, 'payments/toString'],
    ['/faults/mail/send', { mode: 'explode' }, 'answer_lost'],
    ['/faults/mail/send', { mode: 'down', rate: 2 }, 'rate'],
    ['/faults/mail/send', { mode: 'down', times: -1 }, 'times'],
    ['/faults/mail/send', { mode: 'down', color: 'red' }, 'color'],
    ['/faults/mail/send', 'down', 'object'],
  ])(
    'a fault at %s with body %j is rejected with the allowed values',
    async (path, body, named) => {
      const sandbox = await openSandbox();
      const response = await call(sandbox, { path, method: 'PUT', body });
      expect(response).toMatchObject({
        status: 400,
        body: { error: { allowed: expect.anything() } },
      });
      expect(JSON.stringify(response.body)).toContain(named);
      expect(sandbox.faults.list()).toEqual([]);
    },
  );

  test('every mode can be armed at every operation', async () => {
    const sandbox = await openSandbox();
    for (const place of places()) {
      for (const mode of MODES) {
        const path = `/faults/${place.provider}/${place.operation}`;
        expect(await call(sandbox, { path, method: 'PUT', body: { mode } })).toMatchObject({
          status: 200,
        });
      }
    }
  });

  test('a fault with the same rate and seed fires at the same attempts', async () => {
    const sandbox = await openSandbox();
    const run = (seed: number): boolean[] => {
      sandbox.faults.set(RESERVE, { mode: 'down', rate: 0.3, seed });
      return times(200, () => sandbox.faults.trigger(RESERVE) !== null);
    };
    const first = run(7);
    expect(run(7)).toEqual(first);
    expect(run(8)).not.toEqual(first);
    const fired = first.filter(Boolean).length;
    expect(fired).toBeGreaterThan(35);
    expect(fired).toBeLessThan(85);
  });

  test('deleting the ledgers empties the warehouse ledger, and an unknown ledger returns 404', async () => {
    const sandbox = await openSandbox();
    await call(sandbox, reserveCall());
    expect(await call(sandbox, { path: '/ledger/warehouse', method: 'GET' })).toMatchObject({
      body: { effects: [{ key: 'ord_1/reserve', operation: 'reserve', order_id: 'ord_1' }] },
    });
    await call(sandbox, { path: '/ledger', method: 'DELETE' });
    expect(counted(sandbox, 'warehouse')).toEqual({});
    expect(await call(sandbox, { path: '/ledger/bank', method: 'GET' })).toMatchObject({
      status: 404,
    });
  });

  test('the sandbox clock can be read, set and advanced, and rejects an invalid offset', async () => {
    const sandbox = await openSandbox();
    const put = (body: object) => call(sandbox, { path: '/clock', method: 'PUT', body });
    await put({ offset_ms: 1000 });
    expect(await put({ advance_ms: 500 })).toMatchObject({ body: { offset_ms: 1500 } });
    expect(await call(sandbox, { path: '/clock', method: 'GET' })).toMatchObject({
      body: { offset_ms: 1500, now: expect.any(String) },
    });
    expect(await put({ offset_ms: 'soon' })).toMatchObject({ status: 400 });
  });
});

function places(): Place[] {
  return PROVIDERS.flatMap((provider) =>
    OPERATIONS[provider].map((operation: Operation) => ({ provider, operation })),
  );
}
