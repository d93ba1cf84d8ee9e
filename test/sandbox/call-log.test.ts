import { expect, test } from 'vitest';
import type { Mode } from '../../local/sandbox/faults.ts';
import { createCallLog } from '../../local/sandbox/call-log.ts';
import { eventually } from '../support/eventually.ts';
import {
  call,
  openReceiver,
  openSandbox,
  reserveCall,
  shipCall,
  stripeOf,
  authorize,
} from './shop.ts';

const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;
const known = { ...RESERVE, atMs: 1, orderId: 'ord_1', status: 200, fault: null, replayed: false };

test.each([
  ['fail_before', 500],
  ['down', null],
  ['answer_lost', null],
  ['refuse', 409],
] satisfies [Mode, number | null][])(
  'the call log has a call under %s with its order, its fault and the response',
  async (mode, status) => {
    const sandbox = await openSandbox();
    sandbox.faults.set(RESERVE, { mode, times: 1 });
    await call(sandbox, reserveCall()).catch(() => null);
    await call(sandbox, reserveCall());
    const [first, second] = sandbox.calls.calls();
    expect(first).toMatchObject({ ...RESERVE, orderId: 'ord_1', fault: mode, status });
    // The effect of a call whose response was lost is there already.
    const replayed = mode === 'answer_lost' || mode === 'refuse';
    expect(second).toMatchObject({ ...RESERVE, orderId: 'ord_1', fault: null, replayed });
  },
);

test('the call log has look-ups and callbacks under the order they are about', async () => {
  const [sandbox, shop] = await Promise.all([openSandbox(), openReceiver()]);
  const stripe = stripeOf(sandbox);
  const intent = await authorize(stripe, { orderId: 'ord_1' });
  await stripe.paymentIntents.retrieve(intent.id);
  await call(sandbox, shipCall(shop.url));
  await eventually(() => {
    const logged = sandbox.calls.calls().filter(({ orderId }) => orderId === 'ord_1');
    const operations = logged.map(({ operation, status }) => `${operation} ${status}`);
    expect(operations).toEqual(['authorize 200', 'lookup 200', 'ship 202', 'callback 200']);
  });
});

test('the call log drops the oldest calls, and notifies its listeners until they leave', () => {
  const log = createCallLog();
  let notified = 0;
  const leave = log.subscribe(() => {
    notified += 1;
  });
  for (let n = 0; n < 10_000; n += 1) log.record(known);
  expect(log.calls().length).toBeLessThan(4_001);
  expect(log.calls().at(-1)?.id).toBe(10_000);
  leave();
  log.record(known);
  expect(notified).toBe(10_000);
});
