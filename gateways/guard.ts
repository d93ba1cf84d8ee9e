/**
 * Wraps every outside call: deadline, circuit breaker, bulkhead. Owns the mapping from "no answer"
 * to data. It does not retry: Temporal does, and on the synchronous path nobody.
 *
 * Only what an adapter has recognised as outside trouble (`ProviderFault`) and a passed deadline
 * become `unknown` and count towards opening. Everything else that is thrown is our own bug and
 * surfaces unchanged: a guard that swallowed a TypeError would report it as a network problem.
 */
import {
  BrokenCircuitError,
  bulkhead,
  BulkheadRejectedError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
} from 'cockatiel';
import type { BreakerView, NoAnswer, Unavailable } from './outcome.ts';

/** The limits of one group of calls. Values with their reasons: limits.ts. */
export interface CallLimits {
  /** From entering the guard to the answer, waiting in the queue included. */
  readonly deadlineMs: number;
  readonly maxConcurrent: number;
  readonly maxQueued: number;
  /** Consecutive unknown outcomes after which the breaker opens. */
  readonly breakAfter: number;
  /** How long the breaker stays open before one call may probe. */
  readonly halfOpenAfterMs: number;
}

export interface GuardOptions extends CallLimits {
  /** `<provider>.<group>`, as metrics and the console show it. */
  readonly name: string;
  readonly onChange?: ((view: BreakerView) => void) | undefined;
}

export interface Guard {
  /**
   * Runs one call. `unavailable`: nothing was sent. `unknown`: it may have taken effect. Rejects
   * only with what `work` throws that is neither a `ProviderFault` nor the deadline.
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | NoAnswer>;
  view(): BreakerView;
}

/** Trouble outside: connection lost, 5xx, an answer that does not parse. `reason` is technical. */
export class ProviderFault extends Error {
  override readonly name = 'ProviderFault';
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** When the bulkhead is full, a slot is free again within about one ordinary call. */
const BUSY_RETRY_MS = 250;

/** One guard, hence one breaker and one bulkhead, per provider and group of calls. */
export function createGuard(options: GuardOptions): Guard {
  const { name, deadlineMs, halfOpenAfterMs, onChange } = options;
  const lane = bulkhead(options.maxConcurrent, options.maxQueued);
  const breaker = circuitBreaker(handleWhen(isOutsideTrouble), {
    halfOpenAfter: halfOpenAfterMs,
    breaker: new ConsecutiveBreaker(options.breakAfter),
  });
  const view = (): BreakerView => ({ name, state: stateName(breaker.state) });
  let openedAtMs = 0;
  breaker.onBreak(() => {
    openedAtMs = Date.now();
  });
  breaker.onStateChange(() => onChange?.(view()));

  function noAnswer(error: unknown): NoAnswer {
    if (error instanceof BrokenCircuitError) {
      return unavailable(openedAtMs + halfOpenAfterMs - Date.now(), halfOpenAfterMs);
    }
    if (error instanceof BulkheadRejectedError) return unavailable(BUSY_RETRY_MS, BUSY_RETRY_MS);
    if (error instanceof TaskCancelledError) return { kind: 'unknown', reason: 'deadline' };
    if (error instanceof ProviderFault) return { kind: 'unknown', reason: error.reason };
    throw error;
  }

  async function run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | NoAnswer> {
    const enteredAtMs = performance.now();
    try {
      return await lane.execute<T | Unavailable>(() => {
        const leftMs = deadlineMs - (performance.now() - enteredAtMs);
        // Sent this late, it would end unknown and open the breaker for our own queue's fault.
        if (leftMs < deadlineMs / 2) return unavailable(BUSY_RETRY_MS, BUSY_RETRY_MS);
        // The library lets others wait for the probe. A shopper gets an answer at once instead.
        if (breaker.state === CircuitState.HalfOpen) return unavailable(deadlineMs, deadlineMs);
        const deadline = timeout(leftMs, TimeoutStrategy.Aggressive);
        return breaker.execute(() => deadline.execute(({ signal }) => work(signal)));
      });
    } catch (error) {
      return noAnswer(error);
    }
  }

  return { run, view };
}

function isOutsideTrouble(error: Error): boolean {
  return error instanceof ProviderFault || error instanceof TaskCancelledError;
}

function unavailable(waitMs: number, mostMs: number): Unavailable {
  return { kind: 'unavailable', retryAfterMs: Math.ceil(Math.min(Math.max(waitMs, 1), mostMs)) };
}

function stateName(state: CircuitState): BreakerView['state'] {
  switch (state) {
    case CircuitState.Closed:
      return 'closed';
    case CircuitState.HalfOpen:
      return 'half_open';
    case CircuitState.Open:
    case CircuitState.Isolated:
      return 'open';
  }
}
