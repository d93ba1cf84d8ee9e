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
import type { BreakerState, BreakerView, NoAnswer, Unavailable } from './outcome.ts';

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
  run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    /** Aborted before the call is sent: it is not. What was sent runs to its end or deadline. */
    wanted?: AbortSignal,
  ): Promise<T | NoAnswer>;
  /**
   * What `run` would answer now without sending anything; null when it would send. While a probe is
   * due, one caller is told null, and the others that somebody probes.
   */
  refusal(): Unavailable | null;
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
const BUSY: Unavailable = { kind: 'unavailable', retryAfterMs: 250 };
/** Who was told to probe may find another reason not to; then the next one is told. */
const PROBE_PROMISED_MS = 1_000;

/** One guard, hence one breaker and one bulkhead, per provider and group of calls. */
export function createGuard(options: GuardOptions): Guard {
  const { deadlineMs } = options;
  const lane = bulkhead(options.maxConcurrent, options.maxQueued);
  const { breaker, openForMs, refusal, view } = createBreaker(options);

  function noAnswer(error: unknown): NoAnswer {
    if (error instanceof BrokenCircuitError) {
      return unavailable(openForMs(), options.halfOpenAfterMs);
    }
    if (error instanceof BulkheadRejectedError) return BUSY;
    if (error instanceof TaskCancelledError) return { kind: 'unknown', reason: 'deadline' };
    if (error instanceof ProviderFault) return { kind: 'unknown', reason: error.reason };
    throw error;
  }

  async function run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    wanted?: AbortSignal,
  ): Promise<T | NoAnswer> {
    const enteredAtMs = performance.now();
    try {
      return await lane.execute<T | Unavailable>(() => {
        if (wanted?.aborted === true) return BUSY;
        const leftMs = deadlineMs - (performance.now() - enteredAtMs);
        // Sent this late, it would end unknown and open the breaker for our own queue's fault.
        if (leftMs < deadlineMs / 2) return BUSY;
        // The library lets others wait for the probe. A shopper gets an answer at once instead.
        if (breaker.state === CircuitState.HalfOpen) return unavailable(deadlineMs, deadlineMs);
        const deadline = timeout(leftMs, TimeoutStrategy.Aggressive);
        return breaker.execute(() => deadline.execute(({ signal }) => work(signal)));
      });
    } catch (error) {
      return noAnswer(error);
    }
  }

  return { run, refusal, view };
}

/** The library's breaker, and what can be said about it without running anything. */
function createBreaker({ name, deadlineMs, breakAfter, halfOpenAfterMs, onChange }: GuardOptions) {
  const breaker = circuitBreaker(handleWhen(isOutsideTrouble), {
    halfOpenAfter: halfOpenAfterMs,
    breaker: new ConsecutiveBreaker(breakAfter),
  });
  const entered = { closed: 0, open: 0, half_open: 0 };
  let openedAtMs = 0;
  let probePromisedAtMs = -Infinity;
  const openForMs = (): number => openedAtMs + halfOpenAfterMs - Date.now();
  const view = (): BreakerView => {
    return { name, state: stateName(breaker.state), entered: { ...entered } };
  };
  breaker.onBreak(() => {
    openedAtMs = Date.now();
    probePromisedAtMs = -Infinity;
  });
  breaker.onStateChange((state) => {
    entered[stateName(state)] += 1;
    onChange?.(view());
  });

  function refusal(): Unavailable | null {
    const state = stateName(breaker.state);
    if (state === 'closed') return null;
    const probing = state === 'half_open' || Date.now() < probePromisedAtMs + PROBE_PROMISED_MS;
    if (probing) return unavailable(deadlineMs, deadlineMs);
    if (openForMs() > 0) return unavailable(openForMs(), halfOpenAfterMs);
    probePromisedAtMs = Date.now();
    return null;
  }

  return { breaker, openForMs, refusal, view };
}

function isOutsideTrouble(error: Error): boolean {
  return error instanceof ProviderFault || error instanceof TaskCancelledError;
}

function unavailable(waitMs: number, mostMs: number): Unavailable {
  return { kind: 'unavailable', retryAfterMs: Math.ceil(Math.min(Math.max(waitMs, 1), mostMs)) };
}

function stateName(state: CircuitState): BreakerState {
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
