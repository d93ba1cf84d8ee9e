/** Limits short enough for tests of gateways, and calls that reach their fault. */
import { typeid, TypeID } from 'typeid-js';
import { expect } from 'vitest';
import { isOrderId } from '../../domain/ids.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { CallLimits } from '../../gateways/resilience/guard.ts';
import type { Faults } from '../../local/sandbox/faults.ts';
import { eventually } from '../support/eventually.ts';

/** Longer than any test takes; tests move the clock with `advance`. */
export const HALF_OPEN_AFTER_MS = 600_000;

/** Limits with a breaker that needs few calls, and a deadline that a busy machine does not miss. */
export function quickLimits(changes: Partial<CallLimits> = {}): CallLimits {
  return {
    deadlineMs: 30_000,
    maxConcurrent: 8,
    maxQueued: 8,
    breakAfter: 3,
    breakRate: 0.5,
    // Longer than any test takes.
    breakWindowMs: HALF_OPEN_AFTER_MS,
    halfOpenAfterMs: HALF_OPEN_AFTER_MS,
    ...changes,
  };
}

/** For timeouts; the breaker stays closed. See `callUntilFaultFires`. */
export const SHORT_DEADLINE = { deadlineMs: 100, breakAfter: 1_000 } as const;

/**
 * Calls until the armed fault has fired: on a busy machine a short deadline may end a call before it
 * reaches the sandbox.
 */
export function callUntilFaultFires(faults: Faults, call: () => Promise<void>): Promise<void> {
  return eventually(async () => {
    await call();
    expect(faults.list()[0]?.fired).toBeGreaterThan(0);
  });
}

/** An order id created at the given time, as the API creates them. */
export function newOrderId(madeAt = new Date()): OrderId {
  const bytes = typeid('ord').toUUIDBytes();
  for (let i = 0; i < 6; i += 1) bytes[i] = Math.floor(madeAt.getTime() / 256 ** (5 - i)) % 256;
  const id = TypeID.fromUUIDBytes('ord', bytes).toString();
  if (!isOrderId(id)) throw new Error('typeid created an invalid order id');
  return id;
}
