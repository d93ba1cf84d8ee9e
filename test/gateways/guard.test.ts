import { CircuitState } from 'cockatiel';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createGate } from '../support/gate.ts';
import {
  AccessRefused,
  Inconclusive,
  ProviderBusy,
  ProviderFault,
} from '../../gateways/resilience/faults.ts';
import { createGuard } from '../../gateways/resilience/guard.ts';
import type { CallLimits, Guard } from '../../gateways/resilience/guard.ts';
import { RateBreaker } from '../../gateways/resilience/rate-breaker.ts';
import type { BreakerListener, BreakerView } from '../../gateways/resilience/outcome.ts';
import { advance } from '../support/clock.ts';
import { HALF_OPEN_AFTER_MS, quickLimits } from './provider.ts';

/** Well above what it takes to get to work, which is counted: sent after half of it is not sent. */
const DEADLINE_MS = 300;

const LATE = 'no answer from the provider in time';

const PROBING = {
  kind: 'unavailable',
  reason: 'the provider answered HTTP 500',
  retryAfterMs: 30_000,
  breakerOpen: true,
};

function guardOf(changes: Partial<CallLimits> = {}, onChange?: BreakerListener): Guard {
  return createGuard({ name: 'test.call', ...quickLimits(changes), onChange });
}

const busy = (status: number, retryAfter?: string) =>
  new ProviderBusy({ status, reason: `http_${status}`, retryAfter });
const busyWith = (status: number) => `the provider is busy (http_${status})`;
const fail = () => Promise.reject(new ProviderFault('http_500'));
const succeed = () => Promise.resolve('result');

async function failTimes(guard: Guard, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    const reason = 'the provider answered HTTP 500';
    expect(await guard.run(fail)).toEqual({ kind: 'unknown', reason });
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
    expect(outcome).toEqual({ kind: 'unknown', reason: LATE });
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
    expect(outcome).toEqual({ kind: 'unknown', reason: LATE });
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

  test.each([
    ['a response that proves nothing', () => new Inconclusive('still_processing')],
    ['a rate limit', () => busy(429, '60')],
    ['a key that is in use', () => busy(409, '60')],
  ])('fifty times %s leaves the breaker closed', async (_, error) => {
    const guard = guardOf();
    for (let i = 0; i < 50; i += 1) await guard.run(() => Promise.reject(error()));
    expect(guard.view()).toMatchObject({ state: 'closed', reason: null });
  });
});

describe('a busy provider', () => {
  test('a call is repeated while the provider is busy, and its response is returned', async () => {
    let calls = 0;
    const outcome = await guardOf().run(() => {
      calls += 1;
      return calls < 3 ? Promise.reject(busy(429, '0')) : Promise.resolve('result');
    });
    expect([outcome, calls]).toEqual(['result', 3]);
  });

  test.each([
    [429, { kind: 'unavailable', reason: busyWith(429), retryAfterMs: 60_000 }],
    [425, { kind: 'unavailable', reason: busyWith(425), retryAfterMs: 60_000 }],
    // The first request with the key may still take effect.
    [409, { kind: 'unknown', reason: busyWith(409) }],
  ])(
    'a call answered by %i with a wait beyond the deadline is not repeated',
    async (status, expected) => {
      let calls = 0;
      const outcome = await guardOf().run(() => {
        calls += 1;
        return Promise.reject(busy(status, '60'));
      });
      expect([outcome, calls]).toEqual([expected, 1]);
    },
  );

  test('a provider that stays busy is given up before the deadline', async () => {
    let calls = 0;
    const outcome = await guardOf({ deadlineMs: 800 }).run(() => {
      calls += 1;
      return Promise.reject(busy(429));
    });
    expect(outcome).toMatchObject({ kind: 'unavailable', retryAfterMs: 800 });
    expect(calls).toBeGreaterThan(1);
  });
});

describe('refused access', () => {
  const refuse = () => Promise.reject(new AccessRefused('http_401'));
  const reason = 'the provider refuses our credentials or account (http_401)';

  test('a call with refused credentials is unavailable, and the view says so until one is accepted', async () => {
    const seen: (string | null)[] = [];
    const guard = guardOf({}, (view) => seen.push(view.reason));
    const outcome = { kind: 'unavailable', reason, retryAfterMs: HALF_OPEN_AFTER_MS };
    expect(await guard.run(refuse)).toEqual(outcome);
    expect(await guard.run(refuse)).toEqual(outcome);
    expect(guard.view()).toMatchObject({ state: 'closed', reason });
    // Another failure says nothing about the credentials.
    await guard.run(() => Promise.reject(new Inconclusive('x')));
    expect(guard.view().reason).toBe(reason);
    await guard.run(succeed);
    expect(guard.view().reason).toBeNull();
    expect(seen).toEqual([reason, null]);
  });

  test('refused credentials open the breaker like a provider that is down', async () => {
    const guard = guardOf({ breakAfter: 3 });
    for (const _ of [1, 2, 3]) await guard.run(refuse);
    expect(guard.view()).toMatchObject({ state: 'open', reason });
  });
});

describe('the rate of failures', () => {
  type Ended = { readonly afterMs: number; readonly failed: boolean };
  const LIMITS = { windowMs: 30_000, minCalls: 10, rate: 0.5 };

  /** The index of the call that opens a breaker with the default limits; null when none does. */
  function opensAt(calls: readonly Ended[]): number | null {
    const breaker = new RateBreaker(LIMITS);
    for (const [index, { afterMs, failed }] of calls.entries()) {
      vi.setSystemTime(Date.now() + afterMs);
      if (!failed) breaker.success(CircuitState.Closed);
      else if (breaker.failure(CircuitState.Closed)) return index;
    }
    return null;
  }
  const times = (count: number, ended: Ended): Ended[] =>
    Array.from({ length: count }, () => ended);
  afterEach(() => void vi.useRealTimers());

  test.each([
    ['five slow cards', times(5, { afterMs: 500, failed: true }), null],
    ['nine slow cards', times(9, { afterMs: 500, failed: true }), null],
    ['ten slow cards within half a minute', times(10, { afterMs: 500, failed: true }), 9],
    ['ten slow cards over five minutes', times(10, { afterMs: 30_000, failed: true }), null],
    [
      'every second card of a hundred',
      Array.from({ length: 100 }, (_, i) => ({ afterMs: 100, failed: i % 2 === 1 })),
      null,
    ],
    [
      'nine failures of last night and one slow card',
      [...times(9, { afterMs: 1_000, failed: true }), { afterMs: 3_600_000, failed: true }],
      null,
    ],
    [
      'a hiccup of sixty calls in a busy half minute',
      [...times(200, { afterMs: 100, failed: false }), ...times(60, { afterMs: 1, failed: true })],
      null,
    ],
    [
      'an outage in a busy half minute',
      [...times(200, { afterMs: 100, failed: false }), ...times(400, { afterMs: 1, failed: true })],
      400,
    ],
  ])('%s: the breaker opens at call %#', (_, calls, expected) => {
    expect(opensAt(calls)).toBe(expected);
  });

  test('the breaker opens only when the calls of one window are enough and most of them failed', () => {
    const ended = fc.record({
      afterMs: fc.oneof(fc.nat(200), fc.nat(10_000)),
      failed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(ended, { maxLength: 120 }), (calls) => {
        const opened = opensAt(calls);
        if (opened === null) return;
        const at = (index: number) =>
          calls.slice(0, index + 1).reduce((sum, { afterMs }) => sum + afterMs, 0);
        const recent = calls
          .slice(0, opened + 1)
          .filter((_, index) => at(opened) - at(index) < LIMITS.windowMs);
        expect(recent.length).toBeGreaterThanOrEqual(LIMITS.minCalls);
        const failed = recent.filter((each) => each.failed);
        expect(failed.length).toBeGreaterThan(LIMITS.minCalls * LIMITS.rate);
      }),
    );
  });
});

describe('breaker', () => {
  test('the breaker opens after enough unknown outcomes, sends nothing and returns the last error and the wait time', async () => {
    const guard = guardOf({ breakAfter: 3 });
    await failTimes(guard, 3);
    expect(guard.view().state).toBe('open');
    let sent = 0;
    const outcome = await guard.run(() => Promise.resolve((sent += 1)));
    expect(sent).toBe(0);
    const reason = 'the provider answered HTTP 500';
    const retryAfterMs: unknown = expect.any(Number);
    expect(outcome).toEqual({ kind: 'unavailable', reason, retryAfterMs, breakerOpen: true });
    expect(guard.view().reason).toBe(`circuit breaker open, last error: ${reason}`);
    const waitMs =
      typeof outcome === 'object' && outcome.kind === 'unavailable' ? outcome.retryAfterMs : 0;
    expect(waitMs).toBeGreaterThan(HALF_OPEN_AFTER_MS / 2);
    expect(waitMs).toBeLessThanOrEqual(HALF_OPEN_AFTER_MS);
  });

  test('missed deadlines open the breaker', async () => {
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
    expect(await running).toEqual({ kind: 'unknown', reason: LATE });
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
