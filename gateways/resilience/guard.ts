/**
 * Wraps every call to a provider: deadline, circuit breaker, bulkhead. It returns missing responses
 * as data and does not retry: Temporal does, and a synchronous call is not retried.
 *
 * A `ProviderFault`, a passed deadline and an answer that is `NotUnderstood` become `unknown`; the
 * first two count towards opening the breaker. Any other error is our own bug and is rethrown unchanged: a guard that swallowed a
 * TypeError would report it as a network problem.
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
import type {
  BreakerListener,
  BreakerState,
  BreakerView,
  NoResponse,
  Unavailable,
} from './outcome.ts';

/** The limits of one group of calls. Values with their reasons: limits.ts. */
export interface CallLimits {
  /** From entering the guard to the response, waiting in the queue included. */
  readonly deadlineMs: number;
  readonly maxConcurrent: number;
  readonly maxQueued: number;
  /** Consecutive unknown outcomes after which the breaker opens. */
  readonly breakAfter: number;
  /** How long the breaker stays open before it lets one call probe. */
  readonly halfOpenAfterMs: number;
}

export interface GuardOptions extends CallLimits {
  /** `<provider>.<group>`, as metrics and the console show it. */
  readonly name: string;
  readonly onChange?: BreakerListener | undefined;
}

export interface Guard {
  /**
   * Runs one call. `unavailable`: nothing was sent. `unknown`: it may have taken effect. Rejects with
   * any error of `work` that is neither a `ProviderFault` nor the deadline.
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

/** A failure of provider or network: connection lost, 5xx, an unreadable response. */
export class ProviderFault extends Error {
  override readonly name = 'ProviderFault';
  /** A technical code. */
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * The provider answered outside of its contract, so a repeat gives the same answer. The call may have
 * taken effect. It says nothing about the health of the provider: the breaker does not count it.
 */
export class NotUnderstood extends Error {
  override readonly name = 'NotUnderstood';
  /** A technical code. */
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** A slot of a full bulkhead is free again after about one ordinary call. */
const NO_SLOT: Unavailable = {
  kind: 'unavailable',
  reason: 'too many concurrent calls',
  retryAfterMs: 250,
};
/** A caller that may probe may still not call; after this time another one may. */
const PROBE_RESERVED_MS = 1_000;

/** One guard, hence one breaker and one bulkhead, per provider and group of calls. */
export function createGuard(options: GuardOptions): Guard {
  const { deadlineMs } = options;
  const slots = bulkhead(options.maxConcurrent, options.maxQueued);
  const { breaker, openFor, probing, refusal, ...created } = createBreaker(options);
  let notUnderstood = 0;

  function noResponse(error: unknown): NoResponse {
    if (error instanceof BrokenCircuitError) return openFor();
    if (error instanceof BulkheadRejectedError) return NO_SLOT;
    if (isFailure(error)) return { kind: 'unknown', reason: reasonOf(error) };
    if (!(error instanceof NotUnderstood)) throw error;
    notUnderstood += 1;
    return { kind: 'unknown', reason: error.reason, notUnderstood: true };
  }

  async function run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    wanted?: AbortSignal,
  ): Promise<T | NoResponse> {
    const enteredAtMs = performance.now();
    try {
      return await slots.execute<T | Unavailable>(() => {
        if (wanted?.aborted === true) return NO_SLOT;
        const leftMs = deadlineMs - (performance.now() - enteredAtMs);
        // Sent this late, it would end unknown and count our own queueing as the provider's failure.
        if (leftMs < deadlineMs / 2) return NO_SLOT;
        // The library lets others wait for the probe. A shopper gets a response at once instead.
        if (breaker.state === CircuitState.HalfOpen) return probing();
        const deadline = timeout(leftMs, TimeoutStrategy.Aggressive);
        return breaker.execute(() => deadline.execute(({ signal }) => work(signal)));
      });
    } catch (error) {
      return noResponse(error);
    }
  }

  return { run, refusal, view: () => ({ ...created.view(), notUnderstood }) };
}

/** The library's breaker, and its state as outcomes of calls that are not sent. */
function createBreaker({ name, deadlineMs, breakAfter, halfOpenAfterMs, onChange }: GuardOptions) {
  const breaker = circuitBreaker(handleWhen(isFailure), {
    halfOpenAfter: halfOpenAfterMs,
    breaker: new ConsecutiveBreaker(breakAfter),
  });
  const entered = { closed: 0, open: 0, half_open: 0 };
  let openedAtMs = 0;
  let probeReservedAtMs = -Infinity;
  let lastError = '';
  const openForMs = (): number => openedAtMs + halfOpenAfterMs - Date.now();
  const openFor = (): Unavailable => ({
    kind: 'unavailable',
    reason: `circuit breaker open, last error: ${lastError}`,
    retryAfterMs: Math.ceil(Math.min(Math.max(openForMs(), 1), halfOpenAfterMs)),
  });
  const probing = (): Unavailable => ({
    kind: 'unavailable',
    reason: `circuit breaker open, one call is probing, last error: ${lastError}`,
    retryAfterMs: deadlineMs,
  });
  const view = (): Omit<BreakerView, 'notUnderstood'> => {
    return { name, state: stateName(breaker.state), entered: { ...entered } };
  };
  breaker.onFailure(({ reason }) => {
    if ('error' in reason && isFailure(reason.error)) lastError = reasonOf(reason.error);
  });
  breaker.onBreak(() => {
    openedAtMs = Date.now();
    probeReservedAtMs = -Infinity;
  });
  breaker.onStateChange((state) => {
    entered[stateName(state)] += 1;
    onChange?.({ name, state: stateName(state) });
  });

  function refusal(): Unavailable | null {
    const state = stateName(breaker.state);
    if (state === 'closed') return null;
    const isReserved = Date.now() < probeReservedAtMs + PROBE_RESERVED_MS;
    if (state === 'half_open' || isReserved) return probing();
    if (openForMs() > 0) return openFor();
    probeReservedAtMs = Date.now();
    return null;
  }

  return { breaker, openFor, probing, refusal, view };
}

function isFailure(error: unknown): error is ProviderFault | TaskCancelledError {
  return error instanceof ProviderFault || error instanceof TaskCancelledError;
}

function reasonOf(error: ProviderFault | TaskCancelledError): string {
  return error instanceof ProviderFault ? error.reason : 'deadline';
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
