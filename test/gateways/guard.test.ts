import { describe, expect, test } from 'vitest';
import { createGuard, ProviderFault } from '../../gateways/guard.ts';
import type { CallLimits, Guard } from '../../gateways/guard.ts';
import type { BreakerView } from '../../gateways/outcome.ts';
import { letPass } from '../support/clock.ts';
import { HALF_OPEN_AFTER_MS, quickLimits } from './provider.ts';

/** Well above what it takes to get to work, which is counted: sent after half of it is not sent. */
const DEADLINE_MS = 300;

function guardOf(changes: Partial<CallLimits> = {}, onChange?: (view: BreakerView) => void): Guard {
  return createGuard({ name: 'test.call', ...quickLimits(changes), onChange });
}

const fail = () => Promise.reject(new ProviderFault('http_500'));
const succeed = () => Promise.resolve('answer');

function gate() {
  let open: (answer: string) => void = () => undefined;
  const answer = new Promise<string>((resolve) => {
    open = resolve;
  });
  return { answer, open };
}

async function failTimes(guard: Guard, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    expect(await guard.run(fail)).toEqual({ kind: 'unknown', reason: 'http_500' });
  }
}

describe('deadline', () => {
  test('a call past its deadline is unknown, and its work is told to stop', async () => {
    const guard = guardOf({ deadlineMs: DEADLINE_MS });
    const signals: AbortSignal[] = [];
    const outcome = await guard.run((signal) => {
      signals.push(signal);
      return gate().answer;
    });
    expect(outcome).toEqual({ kind: 'unknown', reason: 'deadline' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  test('work that fails after its deadline is nobody’s unhandled rejection', async () => {
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

describe('what counts as trouble outside', () => {
  test('an answer is passed on as it is', async () => {
    expect(await guardOf().run(succeed)).toBe('answer');
  });

  test('refusals never open the breaker, however many come', async () => {
    const guard = guardOf();
    for (let i = 0; i < 50; i += 1) await guard.run(() => Promise.resolve({ kind: 'declined' }));
    expect(guard.view()).toMatchObject({ name: 'test.call', state: 'closed' });
  });

  test('a bug of our own surfaces as it is and does not open the breaker', async () => {
    const guard = guardOf();
    const bug = new TypeError('undefined is not a function');
    for (let i = 0; i < 10; i += 1) {
      await expect(guard.run(() => Promise.reject(bug))).rejects.toBe(bug);
    }
    expect(guard.view().state).toBe('closed');
  });

  test('an answer in between starts the count of unknown outcomes anew', async () => {
    const guard = guardOf({ breakAfter: 3 });
    await failTimes(guard, 2);
    await guard.run(succeed);
    await failTimes(guard, 2);
    expect(guard.view().state).toBe('closed');
  });
});

describe('breaker', () => {
  test('opens after unknown outcomes in a row; then nothing is sent and the wait is told', async () => {
    const guard = guardOf({ breakAfter: 3 });
    await failTimes(guard, 3);
    expect(guard.view().state).toBe('open');
    let sent = 0;
    const outcome = await guard.run(() => Promise.resolve((sent += 1)));
    expect(sent).toBe(0);
    expect(outcome).toEqual({ kind: 'unavailable', retryAfterMs: expect.any(Number) });
    const waitMs =
      typeof outcome === 'object' && outcome.kind === 'unavailable' ? outcome.retryAfterMs : 0;
    expect(waitMs).toBeGreaterThan(HALF_OPEN_AFTER_MS / 2);
    expect(waitMs).toBeLessThanOrEqual(HALF_OPEN_AFTER_MS);
  });

  test('passed deadlines open it too', async () => {
    const guard = guardOf({ breakAfter: 2, deadlineMs: DEADLINE_MS });
    await guard.run(() => gate().answer);
    await guard.run(() => gate().answer);
    expect(guard.view().state).toBe('open');
  });

  test('lets one call probe while all others are turned away at once, and closes on its answer', async () => {
    const changes: BreakerView['state'][] = [];
    const guard = guardOf({ breakAfter: 1 }, ({ state }) => changes.push(state));
    await failTimes(guard, 1);
    const held = gate();
    letPass(HALF_OPEN_AFTER_MS);
    const probe = guard.run(() => held.answer);
    expect(guard.view().state).toBe('half_open');
    expect(await guard.run(succeed)).toEqual({ kind: 'unavailable', retryAfterMs: 30_000 });
    held.open('back');
    expect(await probe).toBe('back');
    expect(await guard.run(succeed)).toBe('answer');
    expect(changes).toEqual(['open', 'half_open', 'closed']);
  });

  test('says without a call whether it would send: one caller may probe, the others hear who does', async () => {
    const guard = guardOf({ breakAfter: 1 });
    expect(guard.refusal()).toBeNull();
    await failTimes(guard, 1);
    expect(guard.refusal()).toEqual({ kind: 'unavailable', retryAfterMs: expect.any(Number) });
    letPass(HALF_OPEN_AFTER_MS);
    expect(guard.refusal()).toBeNull();
    expect(guard.refusal()).toEqual({ kind: 'unavailable', retryAfterMs: 30_000 });
    expect(await guard.run(succeed)).toBe('answer');
    expect(guard.refusal()).toBeNull();
    expect(guard.view().entered).toEqual({ open: 1, half_open: 1, closed: 1 });
  });

  test('opens again when the probe gets no answer', async () => {
    const changes: BreakerView['state'][] = [];
    const guard = guardOf({ breakAfter: 1 }, ({ state }) => changes.push(state));
    await failTimes(guard, 1);
    letPass(HALF_OPEN_AFTER_MS);
    expect(await guard.run(fail)).toMatchObject({ kind: 'unknown' });
    expect(guard.view().state).toBe('open');
    expect(changes).toEqual(['open', 'half_open', 'open']);
  });
});

describe('bulkhead', () => {
  test('a call beyond slots and queue is turned away without being sent', async () => {
    const guard = guardOf({ maxConcurrent: 1, maxQueued: 1 });
    const first = gate();
    const running = guard.run(() => first.answer);
    const queued = guard.run(succeed);
    let sent = 0;
    expect(await guard.run(() => Promise.resolve((sent += 1)))).toMatchObject({
      kind: 'unavailable',
    });
    expect(sent).toBe(0);
    first.open('first');
    expect(await Promise.all([running, queued])).toEqual(['first', 'answer']);
    expect(guard.view().state).toBe('closed');
  });

  test('a call that spent its time in the queue is not sent late', async () => {
    const guard = guardOf({ maxConcurrent: 1, maxQueued: 1, deadlineMs: DEADLINE_MS });
    const running = guard.run(() => gate().answer);
    let sent = 0;
    const queued = guard.run(() => Promise.resolve((sent += 1)));
    expect(await running).toEqual({ kind: 'unknown', reason: 'deadline' });
    expect(await queued).toMatchObject({ kind: 'unavailable' });
    expect(sent).toBe(0);
  });

  test('a call nobody wants any more is not sent, and one that was sent runs to its end', async () => {
    const guard = guardOf({ maxConcurrent: 1, maxQueued: 1 });
    const client = new AbortController();
    const first = gate();
    const running = guard.run(() => first.answer, client.signal);
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
