/**
 * Wraps every call to a provider: deadline, circuit breaker, bulkhead. It returns missing responses as
 * data. It repeats a call only while the provider asks to wait (`ProviderBusy`) and the deadline has
 * room; every other retry is Temporal's, and the synchronous path has none.
 *
 * A `CallFault` and a passed deadline become outcomes, as faults.ts says. Any other error is our own
 * bug and is rethrown unchanged: a guard that swallowed a TypeError would report it as a network
 * problem.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  BrokenCircuitError,
  bulkhead,
  BulkheadRejectedError,
  CircuitState,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
} from 'cockatiel';
import { createBreaker, type BreakerLimits } from './breaker.ts';
import { AccessRefused, CallFault, NotUnderstood, ProviderBusy, ProviderFault } from './faults.ts';
import type { BreakerListener, BreakerView, NoResponse, Unavailable } from './outcome.ts';
import { describeFault, providerOf } from './words.ts';

/** The limits of one group of calls. Values with their reasons: limits.ts. */
export interface CallLimits extends BreakerLimits {
  /** From entering the guard to the response, waiting in the queue included. */
  readonly deadlineMs: number;
  readonly maxConcurrent: number;
  readonly maxQueued: number;
}

export interface GuardOptions extends CallLimits {
  /** `<provider>.<group>`, as metrics and the console show it. */
  readonly name: string;
  readonly onChange?: BreakerListener | undefined;
}

export interface Guard {
  /**
   * Runs one call. `unavailable`: nothing was done. `unknown`: it may have taken effect. Rejects with
   * any error of `work` that is neither a `CallFault` nor the deadline.
   */
  run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    /** An abort before the call is sent prevents it. A sent call runs to its end or deadline. */
    wanted?: AbortSignal,
  ): Promise<T | NoResponse>;
  /**
   * What `run` would return now without sending anything; null when it would send. When a probe is
   * due, one caller gets null, and the others `unavailable`.
   */
  refusal(): Unavailable | null;
  view(): BreakerView;
}

/** A slot of a full bulkhead is free again after about one ordinary call. */
const SLOT_FREE_AFTER_MS = 250;
/** A busy provider that names no time is asked again after this; then after twice as long each time. */
const FIRST_PAUSE_MS = 200;
/** A provider that asks for more is asked again after this: it may be mistaken. */
const MAX_BUSY_MS = 600_000;
/** Of the deadline: a repeat is sent only while so much of it is left for the response. */
const LEFT_FOR_REPEAT = 0.25;

/** One guard, hence one breaker and one bulkhead, per provider and group of calls. */
export function createGuard(options: GuardOptions): Guard {
  const { deadlineMs, halfOpenAfterMs } = options;
  const provider = providerOf(options.name);
  const describe = (error: unknown): string => describeFault(provider, error);
  const noSlot = noSlotOf(provider);
  const slots = bulkhead(options.maxConcurrent, options.maxQueued);
  const { breaker, openFor, probing, refusal, ...created } = createBreaker({
    ...options,
    isFailure,
    describe,
  });
  let notUnderstood = 0;

  function noResponse(error: unknown): NoResponse {
    if (error instanceof BrokenCircuitError) return openFor();
    if (error instanceof BulkheadRejectedError) return noSlot;
    if (!(error instanceof CallFault || error instanceof TaskCancelledError)) throw error;
    const reason = describe(error);
    if (error instanceof AccessRefused) {
      return { kind: 'unavailable', reason, retryAfterMs: halfOpenAfterMs };
    }
    if (error instanceof ProviderBusy && !error.isRunning) {
      const retryAfterMs = Math.min(error.retryAfterMs ?? deadlineMs, MAX_BUSY_MS);
      return { kind: 'unavailable', reason, retryAfterMs };
    }
    if (error instanceof NotUnderstood) {
      notUnderstood += 1;
      return { kind: 'unknown', reason, notUnderstood: true };
    }
    return { kind: 'unknown', reason };
  }

  async function run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    wanted?: AbortSignal,
  ): Promise<T | NoResponse> {
    const enteredAtMs = performance.now();
    try {
      return await slots.execute<T | Unavailable>(() => {
        if (wanted?.aborted === true) return noSlot;
        const leftMs = deadlineMs - (performance.now() - enteredAtMs);
        // Sent this late, it would end unknown and count our own queueing as the provider's failure.
        if (leftMs < deadlineMs / 2) return noSlot;
        // The library lets others wait for the probe. A shopper gets a response at once instead.
        if (breaker.state === CircuitState.HalfOpen) return probing();
        const deadline = timeout(leftMs, TimeoutStrategy.Aggressive);
        const lastRepeatAtMs = enteredAtMs + deadlineMs * (1 - LEFT_FOR_REPEAT);
        return breaker.execute(() =>
          deadline.execute(({ signal }) => whileBusy(() => work(signal), lastRepeatAtMs)),
        );
      });
    } catch (error) {
      return noResponse(error);
    }
  }

  return { run, refusal, view: () => ({ ...created.view(), notUnderstood }) };
}

function noSlotOf(provider: string): Unavailable {
  const reason = `too many calls to ${provider} at once`;
  return { kind: 'unavailable', reason, retryAfterMs: SLOT_FREE_AFTER_MS };
}

/** Repeats `work` while the provider is busy, with pauses that callers do not have in common. */
async function whileBusy<T>(work: () => Promise<T>, lastRepeatAtMs: number): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ProviderBusy)) throw error;
      const waitMs = Math.max(error.retryAfterMs ?? 0, pauseMs * (0.75 + Math.random() / 2));
      if (performance.now() + waitMs > lastRepeatAtMs) throw error;
      await pause(waitMs);
    }
  }
}

/** Only these count against the provider's health. */
function isFailure(error: unknown): boolean {
  return (
    error instanceof ProviderFault ||
    error instanceof AccessRefused ||
    error instanceof TaskCancelledError
  );
}
