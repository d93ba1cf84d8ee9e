import { expect, test } from 'vitest';
import type { Place } from '../../local/sandbox/faults.ts';
import { listDeadLetters, type DeadLetter } from '../../prisma/dead-letters.ts';
import {
  cancelUpdate,
  resolveUpdate,
  statusQuery,
  type Resolution,
} from '../../workflows/contract.ts';
import { orderIdOf, type Bench, type CheckoutHandle } from '../support/bench.ts';
import { describeCheckout, type CheckoutSuite } from '../support/checkout-suite.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, expectCleanSlate, expectShipped } from '../support/expectations.ts';
import { letDaysPass } from '../support/temporal.ts';
import { update } from '../support/updates.ts';

/** Each undo, made to fail for good, and what makes the order need it. */
const UNDOS: readonly {
  readonly step: string;
  readonly failing: Place;
  readonly cause: Place;
  readonly stillUndone: string;
}[] = [
  {
    step: 'releaseStock',
    failing: { provider: 'warehouse', operation: 'release' },
    cause: { provider: 'warehouse', operation: 'ship' },
    stillUndone: 'refund',
  },
  {
    step: 'voidOrRefundPayment',
    failing: { provider: 'payments', operation: 'refund' },
    cause: { provider: 'warehouse', operation: 'ship' },
    stillUndone: 'release',
  },
  {
    step: 'voidOrRefundPayment',
    failing: { provider: 'payments', operation: 'void' },
    cause: { provider: 'payments', operation: 'capture' },
    stillUndone: 'release',
  },
  {
    step: 'cancelShipment',
    failing: { provider: 'warehouse', operation: 'cancel' },
    cause: { provider: 'warehouse', operation: 'ship' },
    stillUndone: 'refund',
  },
];

describeCheckout('an undo that fails permanently', (suite) => {
  test.each(UNDOS)(
    'a failing undo by $failing.operation lets the others run, needs attention and succeeds on retry',
    async ({ step, failing, cause, stillUndone }) => {
      const { bench } = suite;
      bench.sandbox.faults.set(cause, { mode: 'refuse' });
      bench.sandbox.faults.set(failing, { mode: 'fail_before' });
      const handle = await parked(suite);
      const orderId = orderIdOf(handle);
      expect(effectsOf(bench, orderId)[stillUndone]).toBe(1);
      expect(await attentionOf(bench, handle)).toBe(step);
      expect(await letterOf(bench, handle)).toMatchObject({ subject: step, status: 'open' });
      bench.sandbox.faults.clear();
      await resolve(handle, { step, decision: 'retry' });
      expect((await handle.result()).status).toBe('cancelled');
      await expectCleanSlate(bench, orderId);
      expect((await letterOf(bench, handle))?.status).toBe('resolved');
    },
  );

  test('skipping a failed undo ends the order cancelled and records the actor and note in an event', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'refuse' });
    bench.sandbox.faults.set({ provider: 'payments', operation: 'refund' }, { mode: 'down' });
    const handle = await parked(suite);
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'skip' });
    expect((await handle.result()).status).toBe('cancelled');
    const event = await bench.db.event.findFirst({
      where: { orderId: orderIdOf(handle), type: 'order.attention_resolved' },
    });
    expect(event?.data).toMatchObject({ decision: 'skip', actor: 'op', note: 'looked into it' });
  });

  test('a decision enters the workflow history before the activity that records it is scheduled', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'refuse' });
    bench.sandbox.faults.set({ provider: 'payments', operation: 'refund' }, { mode: 'down' });
    const handle = await parked(suite);
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'skip' });
    await handle.result();
    const { events } = await handle.fetchHistory();
    const decided = events?.findIndex(
      (event) => event.workflowExecutionUpdateAcceptedEventAttributes,
    );
    const recorded = events?.findIndex(
      ({ activityTaskScheduledEventAttributes: scheduled }) =>
        scheduled?.activityType?.name === 'recordResolved',
    );
    expect(decided).toBeGreaterThan(0);
    expect(recorded).toBeGreaterThan(decided ?? Infinity);
  });

  test('a retried shipment cancellation that finds the parcel shipped needs attention again', async () => {
    const { bench, env } = suite;
    const step = 'cancelShipment';
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'answer_lost' });
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'cancel' }, { mode: 'down' });
    const handle = await bench.start();
    await eventually(() => expect(effectsOf(bench, orderIdOf(handle))['ship']).toBe(1));
    await handle.cancel();
    await letDaysPass(env, 2);
    await eventually(async () => expect(await waitingFor(handle)).toEqual([step]));
    bench.sandbox.faults.clear();
    await resolve(handle, { step, decision: 'retry' });
    const error = 'the parcel left before it could be called back';
    await eventually(async () =>
      expect(await letterOf(bench, handle)).toMatchObject({ subject: step, status: 'open', error }),
    );
    await eventually(async () => expect(await waitingFor(handle)).toEqual([step]));
    await resolve(handle, { step, decision: 'skip' });
    await expect(handle.result()).rejects.toThrow('Workflow execution cancelled');
  });

  test('two failed undos each wait for their own decision', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'refuse' });
    bench.sandbox.faults.set({ provider: 'payments', operation: 'refund' }, { mode: 'down' });
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'release' }, { mode: 'down' });
    const handle = await parked(suite);
    expect(await attentionOf(bench, handle)).toBe('voidOrRefundPayment, releaseStock');
    bench.sandbox.faults.clear();
    await resolve(handle, { step: 'releaseStock', decision: 'retry' });
    await eventually(async () => expect(await waitingFor(handle)).toEqual(['voidOrRefundPayment']));
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'retry' });
    await handle.result();
    await expectCleanSlate(bench, orderIdOf(handle));
  });
});

// Five days of attempts are one event in the history: nothing of them is replayed.
describeCheckout(
  'a forward step that fails permanently',
  (suite) => {
    const failing = { provider: 'payments', operation: 'capture' } as const;

    test('an order whose capture failed ships after an operator retries it', async () => {
      const { bench } = suite;
      bench.sandbox.faults.set(failing, { mode: 'down' });
      const handle = await parked(suite, 6);
      bench.sandbox.faults.clear();
      await resolve(handle, { step: 'capturePayment', decision: 'retry' });
      expect((await handle.result()).status).toBe('shipped');
      await expectShipped(bench, orderIdOf(handle));
    });

    test('an order whose capture failed is undone when an operator decides to cancel', async () => {
      const { bench } = suite;
      bench.sandbox.faults.set(failing, { mode: 'down' });
      const handle = await parked(suite, 6);
      await resolve(handle, { step: 'capturePayment', decision: 'cancel' });
      expect(await handle.result()).toEqual({
        status: 'cancelled',
        reason: 'requested_by_operator',
      });
      await expectCleanSlate(bench, orderIdOf(handle));
    });

    test('a cancel while the capture needs attention clears the pending decision and resolves the dead letter', async () => {
      const { bench } = suite;
      bench.sandbox.faults.set(failing, { mode: 'down' });
      const handle = await parked(suite, 6);
      const arg = { reason: 'requested_by_operator' } as const;
      await update(handle, { definition: cancelUpdate, arg });
      await handle.result();
      expect((await handle.query(statusQuery)).waitingFor).toEqual([]);
      expect((await letterOf(bench, handle))?.status).toBe('resolved');
      await expectCleanSlate(bench, orderIdOf(handle));
    });

    test('a decision about a step that does not wait is refused', async () => {
      const { bench } = suite;
      bench.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'refuse' });
      bench.sandbox.faults.set({ provider: 'payments', operation: 'refund' }, { mode: 'down' });
      const handle = await parked(suite);
      const step = 'voidOrRefundPayment';
      await expect(
        resolve(handle, { step: 'capturePayment', decision: 'retry' }),
      ).rejects.toThrow();
      await expect(resolve(handle, { step, decision: 'cancel' })).rejects.toThrow();
      bench.sandbox.faults.clear();
      await resolve(handle, { step, decision: 'retry' });
      await handle.result();
      await expectCleanSlate(bench, orderIdOf(handle));
    });
  },
  'cached',
);

/** Starts an order and lets time pass until it needs attention. */
async function parked({ bench, env }: CheckoutSuite, days = 2): Promise<CheckoutHandle> {
  const handle = await bench.start();
  await letDaysPass(env, days);
  await eventually(async () => {
    expect((await handle.query(statusQuery)).status).toBe('needs_attention');
  });
  return handle;
}

/** The steps a decision would be taken for, as the workflow itself says between its tasks. */
async function waitingFor(handle: CheckoutHandle): Promise<readonly string[]> {
  return (await handle.query(statusQuery)).waitingFor;
}

async function attentionOf(bench: Bench, handle: CheckoutHandle): Promise<string | null> {
  const where = { id: orderIdOf(handle) };
  const order = await bench.db.order.findUniqueOrThrow({ where });
  return order.attentionStep;
}

async function letterOf(bench: Bench, handle: CheckoutHandle): Promise<DeadLetter | undefined> {
  const filter = { source: 'checkout', orderId: orderIdOf(handle) } as const;
  return (await listDeadLetters(bench.db, filter, { limit: 10 })).letters[0];
}

function resolve(
  handle: CheckoutHandle,
  decided: Pick<Resolution, 'step' | 'decision'>,
): Promise<void> {
  const arg = { ...decided, note: 'looked into it', actor: 'op' };
  return update(handle, { definition: resolveUpdate, arg });
}
