import { describe, expect } from 'vitest';
import { isRetryable } from '../../activities/failures.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { Mode, Place } from '../../local/sandbox/faults.ts';
import {
  useSteps,
  SHORT_DEADLINE_MS,
  type Failure,
  type Attempts,
  type Steps,
} from '../activities/steps.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, eventTypesOf } from '../support/expectations.ts';
import { test } from './matrix-case.ts';
import type { Fault, Step as Row } from './table.ts';
import { times } from '../support/times.ts';

/**
 * Every activity that calls a provider, under every fault of its provider: what the workflow gets,
 * which effects really happened, and that a repetition changes nothing.
 */
interface Step {
  readonly what: string;
  /** The row of the fault matrix; null for a look-up. */
  readonly row: Row | null;
  readonly place: Place;
  /** The order just before the step. */
  readonly prepare: (steps: Steps) => Promise<OrderId>;
  readonly run: (on: Attempts, orderId: OrderId) => Promise<unknown>;
  readonly fail: (on: Attempts, orderId: OrderId) => Promise<Failure>;
  readonly done: unknown;
  /** The effect's name in the provider's ledger; null for a look-up. */
  readonly effect: string | null;
  readonly event: string | null;
  /** The result of a business refusal: a value, or the type of a failure. */
  readonly refused: { readonly value: unknown } | { readonly failure: string };
}

const steps = useSteps();

type Plain = 'reserveStock' | 'releaseStock' | 'capturePayment' | 'voidOrRefundPayment';
type Shipping = 'requestShipment' | 'lookUpShipment' | 'cancelShipment';

function step(name: Plain | Shipping, rest: Omit<Step, 'what' | 'run' | 'fail'>): Step {
  return {
    what: `${name} (${rest.place.provider} ${rest.place.operation})`,
    run: (on, orderId) => on.run(name, { orderId }),
    fail: (on, orderId) => on.runFailing(name, { orderId }),
    ...rest,
  };
}

const UNKNOWN = { failure: 'provider_unknown_outcome' } as const;

const STEPS: readonly Step[] = [
  step('reserveStock', {
    row: 'S5',
    place: { provider: 'warehouse', operation: 'reserve' },
    prepare: (on) => on.orderAfter(),
    done: { kind: 'reserved' },
    effect: 'reserve',
    event: 'order.reserved',
    refused: { value: { kind: 'refused', reason: 'not_available' } },
  }),
  step('releaseStock', {
    row: 'C1',
    place: { provider: 'warehouse', operation: 'release' },
    prepare: (on) => on.orderAfter('reserveStock'),
    done: undefined,
    effect: 'release',
    event: 'order.stock_released',
    refused: UNKNOWN,
  }),
  step('capturePayment', {
    row: 'S6',
    place: { provider: 'payments', operation: 'capture' },
    prepare: (on) => on.orderAfter('reserveStock'),
    done: { kind: 'captured', amountMinor: 2400 },
    effect: 'capture',
    event: 'order.paid',
    refused: { value: { kind: 'refused', code: 'capture_charge_authorization_expired' } },
  }),
  step('voidOrRefundPayment', {
    row: 'C2',
    place: { provider: 'payments', operation: 'void' },
    prepare: (on) => on.orderAfter('reserveStock'),
    done: { kind: 'voided' },
    effect: 'void',
    event: 'order.payment_voided',
    refused: UNKNOWN,
  }),
  step('voidOrRefundPayment', {
    row: 'C2',
    place: { provider: 'payments', operation: 'refund' },
    prepare: (on) => on.orderAfter('reserveStock', 'capturePayment'),
    done: { kind: 'refunded', amountMinor: 2400 },
    effect: 'refund',
    event: 'order.payment_refunded',
    refused: { failure: 'provider_rejected_request' },
  }),
  step('requestShipment', {
    row: 'S7',
    place: { provider: 'warehouse', operation: 'ship' },
    prepare: (on) => on.orderAfter('reserveStock', 'capturePayment'),
    done: { kind: 'requested' },
    effect: 'ship',
    event: 'order.shipment_requested',
    refused: { value: { kind: 'refused', reason: 'not_shippable' } },
  }),
  step('lookUpShipment', {
    row: null,
    place: { provider: 'warehouse', operation: 'lookup' },
    prepare: (on) => on.orderAfter('reserveStock', 'capturePayment', 'requestShipment'),
    done: { kind: 'pending' },
    effect: null,
    event: null,
    refused: { failure: 'provider_unavailable' },
  }),
  step('cancelShipment', {
    row: 'C3',
    place: { provider: 'warehouse', operation: 'cancel' },
    prepare: (on) => on.orderAfter('reserveStock', 'capturePayment', 'requestShipment'),
    done: { kind: 'cancelled' },
    effect: 'cancel',
    event: 'order.shipment_cancelled',
    // No refusal of the contract's: only a parcel that has left cannot be cancelled.
    refused: { failure: 'provider_answer_not_understood' },
  }),
];

const WITHOUT_EFFECT: readonly { readonly mode: Mode; readonly fault: Fault }[] = [
  { mode: 'fail_before', fault: 'F1' },
  { mode: 'fail_saved', fault: 'F1' },
  { mode: 'hang', fault: 'F3' },
  { mode: 'down', fault: 'F1' },
];

/** What a test's title begins with; a look-up has no cell of its own. */
function cellOf({ row }: Step, fault: Fault): string {
  return row === null ? '' : `[${row}/${fault}] `;
}

describe.each(STEPS)('$what', (each) => {
  for (const { mode, fault } of WITHOUT_EFFECT) {
    test(`${cellOf(each, fault)}${each.what} under ${mode} fails retryably without effect, and the next attempt takes effect once`, async (proof) => {
      const orderId = await each.prepare(steps);
      steps.sandbox.faults.set(each.place, { mode });
      const before = await eventTypesOf(steps, orderId);
      const failure = await each.fail(steps.withShortDeadlines, orderId);
      expect(failure).toMatchObject({ type: 'provider_unknown_outcome', nonRetryable: false });
      expect(countOf(orderId, each)).toBe(0);
      expect(await eventTypesOf(steps, orderId)).toEqual(before);
      proof.firedAll(steps.sandbox.faults);
      steps.sandbox.faults.clear();
      await expectDoneOnce(each, orderId);
    });
  }

  test(`${cellOf(each, 'F2')}${each.what} under answer_lost fails retryably after its effect, and the next attempt repeats nothing`, async (proof) => {
    const orderId = await each.prepare(steps);
    steps.sandbox.faults.set(each.place, { mode: 'answer_lost', times: 1 });
    const failure = await each.fail(steps.withShortDeadlines, orderId);
    expect(failure).toMatchObject({ type: 'provider_unknown_outcome', nonRetryable: false });
    expect(countOf(orderId, each)).toBe(each.effect === null ? 0 : 1);
    proof.firedAll(steps.sandbox.faults);
    await expectDoneOnce(each, orderId);
  });

  test(`${each.what} succeeds under latency within the deadline`, async () => {
    const orderId = await each.prepare(steps);
    steps.sandbox.faults.set(each.place, { mode: 'latency', latency_ms: 50 });
    await expectDoneOnce(each, orderId);
    expect(fired()).toBeGreaterThan(0);
  });

  test(`${cellOf(each, 'F3')}${each.what} under latency beyond the deadline fails retryably and takes effect once`, async (proof) => {
    const orderId = await each.prepare(steps);
    steps.sandbox.faults.set(each.place, {
      mode: 'latency',
      latency_ms: 2 * SHORT_DEADLINE_MS,
      times: 1,
    });
    const failure = await each.fail(steps.withShortDeadlines, orderId);
    expect(failure).toMatchObject({ type: 'provider_unknown_outcome', nonRetryable: false });
    proof.firedAll(steps.sandbox.faults);
    // The late effect may still be on its way.
    await untilDone(each, orderId);
    await expectDoneOnce(each, orderId);
  });

  test(`${each.what} turns a refusal into a repeatable value or a failure of a known type`, async () => {
    const orderId = await each.prepare(steps);
    steps.sandbox.faults.set(each.place, { mode: 'refuse' });
    if ('value' in each.refused) {
      expect(await each.run(steps, orderId)).toEqual(each.refused.value);
      expect(await each.run(steps, orderId)).toEqual(each.refused.value);
    } else {
      expect(await each.fail(steps, orderId)).toMatchObject({ type: each.refused.failure });
    }
    expect(countOf(orderId, each)).toBe(0);
    expect(fired()).toBeGreaterThan(0);
  });

  test(`${cellOf(each, 'F4')}ten concurrent attempts of ${each.what} take effect once and return the same or fail retryably`, async (proof) => {
    const orderId = await each.prepare(steps);
    // So slow that they overlap; counts the calls that reached the provider.
    steps.sandbox.faults.set(each.place, { mode: 'latency', latency_ms: 50 });
    const attempts = times(10, () => each.run(steps, orderId));
    const settled = await Promise.allSettled(attempts);
    for (const result of settled) {
      if (result.status === 'fulfilled') expect(result.value).toEqual(each.done);
      else expectRetryable(result.reason);
    }
    proof.fired(fired() - 1);
    steps.sandbox.faults.clear();
    // The provider may still be working on one of them.
    await untilDone(each, orderId);
    await expectDoneOnce(each, orderId);
  });
});

/** Runs the step twice: same result, one effect, one event. */
async function expectDoneOnce(each: Step, orderId: OrderId): Promise<void> {
  expect(await each.run(steps, orderId)).toEqual(each.done);
  const events = await eventTypesOf(steps, orderId);
  expect(await each.run(steps, orderId)).toEqual(each.done);
  expect(await eventTypesOf(steps, orderId)).toEqual(events);
  expect(countOf(orderId, each)).toBe(each.effect === null ? 0 : 1);
  if (each.event !== null) {
    expect(events.filter((type) => type === each.event)).toHaveLength(1);
  }
}

/** Repeats the step until it is done; each failure on the way is retryable. */
async function untilDone(each: Step, orderId: OrderId): Promise<void> {
  const failures: unknown[] = [];
  await eventually(() =>
    each.run(steps, orderId).catch((error: unknown) => {
      failures.push(error);
      throw error;
    }),
  );
  for (const failure of failures) expectRetryable(failure);
}

/** Also when the database was too busy for all of them. */
function expectRetryable(failure: unknown): void {
  expect(isRetryable(failure), String(failure)).toBe(true);
}

function countOf(orderId: OrderId, { effect }: Step): number {
  return effect === null ? 0 : (effectsOf(steps, orderId)[effect] ?? 0);
}

/** How often the armed fault fired. */
function fired(): number {
  return steps.sandbox.faults.list()[0]?.fired ?? 0;
}
