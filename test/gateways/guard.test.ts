import { describe, expect, test } from 'vitest';
import { createGate } from '../support/gate.ts';
import { createGuard, ProviderFault } from '../../gateways/resilience/guard.ts';
import type { CallLimits, Guard } from '../../gateways/resilience/guard.ts';
import type { BreakerListener, BreakerView } from '../../gateways/resilience/outcome.ts';
import { advance } from '../support/clock.ts';
import { HALF_OPEN_AFTER_MS, quickLimits } from './provider.ts';

/** Well above what it takes to get to work, which is counted: sent after half of it is not sent. */
const DEADLINE_MS = 300;

const PROBING = {
  kind: 'unavailable',
  reason: 'circuit breaker open, one call is probing, last error: http_500',
  retryAfterMs: 30_000,
};

function guardOf(changes: Partial<CallLimits> = {}, onChange?: BreakerListener): Guard {
  return createGuard({ name: 'test.call', ...quickLimits(changes), onChange });
}

const fail = () => Promise.reject(new ProviderFault('http_500'));
const succeed = () => Promise.resolve('result');

async function failTimes(guard: Guard, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    expect(await guard.run(fail)).toEqual({ kind: 'unknown', reason: 'http_500' });
  }
}

describe('deadline', () => {
  test('a call past its deadline returns unknown, and its work is aborted', async () => {
    const guard = guardOf({ deadlineMs: DEADLINE_MS });
    const signals: AbortSignal[] = [];
    const outcome = await guard.run((signal) => {
      signals.push(signal);
      return createGate<string>().opened;
    });
    expect(outcome).toEqual({ kind: 'unknown', reason: 'deadline' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  test('work that fails after its deadline causes no unhandled rejection', async () => {
    const guard = guardOf({ deadlineMs: DEADLINE_MS });
    const outcome = await guard.run(
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => queueMicrotask(() => reject(new Error('late'))));
        }),
    );
    expect(outcome).toEqual({ kind: 'unknown', reason: 'deadline' });
  });
});

describe('counted failures', () => {
  test('the guard returns the result of a call unchanged', async () => {
    expect(await guardOf().run(succeed)).toBe('result');
  });

  test('fifty refusals in a row leave the breaker closed', async () => {
    const guard = guardOf();
    for (let i = 0; i < 50; i += 1) await guard.run(() => Promise.resolve({ kind: 'declined' }));
    expect(guard.view()).toMatchObject({ name: 'test.call', state: 'closed' });
  });

  test('an error of our own code is rethrown unchanged and leaves the breaker closed', async () => {
    const guard = guardOf();
    const bug = new TypeError('undefined is not a function');
    for (let i = 0; i < 10; i += 1) {
      await expect(guard.run(() => Promise.reject(bug))).rejects.toBe(bug);
    }
    expect(guard.view().state).toBe('closed');
  });

  test('a successful call resets the count of unknown outcomes', async () => {
    const guard = guardOf({ breakAfter: 3 });
    await failTimes(guard, 2);
    await guard.run(succeed);
    await failTimes(guard, 2);
    expect(guard.view().state).toBe('closed');
  });
});

describe('breaker', () => {
  test('the breaker opens after consecutive unknown outcomes, sends nothing and returns the last error and the wait time', async () => {
    const guard = guardOf({ breakAfter: 3 });
    await failTimes(guard, 3);
    expect(guard.view().state).toBe('open');
    let sent = 0;
    const outcome = await guard.run(() => Promise.resolve((sent += 1)));
    expect(sent).toBe(0);
    const reason = 'circuit breaker open, last error: http_500';
    expect(outcome).toEqual({ kind: 'unavailable', reason, retryAfterMs: expect.any(Number) });
    const waitMs =
      typeof outcome === 'object' && outcome.kind === 'unavailable' ? outcome.retryAfterMs : 0;
    expect(waitMs).toBeGreaterThan(HALF_OPEN_AFTER_MS / 2);
    expect(waitMs).toBeLessThanOrEqual(HALF_OPEN_AFTER_MS);
  });

  test('consecutive missed deadlines open the breaker', async () => {
    const guard = guardOf({ breakAfter: 2, deadlineMs: DEADLINE_MS });
    await guard.run(() => createGate<string>().opened);
    await guard.run(() => createGate<string>().opened);
    expect(guard.view().state).toBe('open');
  });

  test('a half-open breaker lets one call probe, rejects the others and closes when it succeeds', async () => {
    const changes: BreakerView['state'][] = [];
    const guard = guardOf({ breakAfter: 1 }, ({ state }) => changes.push(state));
    await failTimes(guard, 1);
    const held = createGate<string>();
    advance(HALF_OPEN_AFTER_MS);
    const probe = guard.run(() => held.opened);
    expect(guard.view().state).toBe('half_open');
    expect(await guard.run(succeed)).toEqual(PROBING);
    held.open('back');
    expect(await probe).toBe('back');
    expect(await guard.run(succeed)).toBe('result');
    expect(changes).toEqual(['open', 'half_open', 'closed']);
  });

  test('a refusal check lets one caller probe a half-open breaker and rejects the others without a call', async () => {
    const guard = guardOf({ breakAfter: 1 });
    expect(guard.refusal()).toBeNull();
    await failTimes(guard, 1);
    expect(guard.refusal()).toMatchObject({
      kind: 'unavailable',
      retryAfterMs: expect.any(Number),
    });
    advance(HALF_OPEN_AFTER_MS);
    expect(guard.refusal()).toBeNull();
    expect(guard.refusal()).toEqual(PROBING);
    expect(await guard.run(succeed)).toBe('result');
    expect(guard.refusal()).toBeNull();
    expect(guard.view().entered).toEqual({ open: 1, half_open: 1, closed: 1 });
  });

  test('a half-open breaker opens again when the probe fails', async () => {
    const changes: BreakerView['state'][] = [];
    const guard = guardOf({ breakAfter: 1 }, ({ state }) => changes.push(state));
    await failTimes(guard, 1);
    advance(HALF_OPEN_AFTER_MS);
    expect(await guard.run(fail)).toMatchObject({ kind: 'unknown' });
    expect(guard.view().state).toBe('open');
    expect(changes).toEqual(['open', 'half_open', 'open']);
  });
});

describe('bulkhead', () => {
  test('a call beyond slots and queue is rejected without being sent', async () => {
    const guard = guardOf({ maxConcurrent: 1, maxQueued: 1 });
    const first = createGate<string>();
    const running = guard.run(() => first.opened);
    const queued = guard.run(succeed);
    let sent = 0;
    expect(await guard.run(() => Promise.resolve((sent += 1)))).toMatchObject({
      kind: 'unavailable',
    });
    expect(sent).toBe(0);
    first.open('first');
    expect(await Promise.all([running, queued])).toEqual(['first', 'result']);
    expect(guard.view().state).toBe('closed');
  });

  test('a call whose deadline passes in the queue is never sent', async () => {
    const guard = guardOf({ maxConcurrent: 1, maxQueued: 1, deadlineMs: DEADLINE_MS });
    const running = guard.run(() => createGate<string>().opened);
    let sent = 0;
    const queued = guard.run(() => Promise.resolve((sent += 1)));
    expect(await running).toEqual({ kind: 'unknown', reason: 'deadline' });
    expect(await queued).toMatchObject({ kind: 'unavailable' });
    expect(sent).toBe(0);
  });

  test('an aborted call is not sent from the queue, and runs to its end when it was already sent', async () => {
    const guard = guardOf({ maxConcurrent: 1, maxQueued: 1 });
    const client = new AbortController();
    const first = createGate<string>();
    const running = guard.run(() => first.opened, client.signal);
    let sent = 0;
    const queued = guard.run(() => Promise.resolve((sent += 1)), client.signal);
    client.abort();
    first.open('first');
    expect(await running).toBe('first');
    expect(await queued).toMatchObject({ kind: 'unavailable' });
    expect(sent).toBe(0);
    expect(guard.view().state).toBe('closed');
  });
});
