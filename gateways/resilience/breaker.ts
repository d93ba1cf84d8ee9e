/** The library's circuit breaker, and its state as outcomes of calls that are not sent. */
import { circuitBreaker, CircuitState, handleWhen } from 'cockatiel';
import { AccessRefused } from './faults.ts';
import type { BreakerListener, BreakerState, BreakerView, Unavailable } from './outcome.ts';
import { RateBreaker } from './rate-breaker.ts';

export interface BreakerLimits {
  /** The breaker opens when at least this many calls ended within the window ... */
  readonly breakAfter: number;
  /** ... and more than this share of them failed, from 0 to 1. */
  readonly breakRate: number;
  readonly breakWindowMs: number;
  /** How long the breaker stays open before it lets one call probe. */
  readonly halfOpenAfterMs: number;
}

export interface BreakerOptions extends BreakerLimits {
  readonly name: string;
  readonly deadlineMs: number;
  readonly onChange?: BreakerListener | undefined;
  /** True for an error that counts against the provider's health. */
  readonly isFailure: (error: unknown) => boolean;
  /** Such an error in words. */
  readonly describe: (error: unknown) => string;
}

/** A caller that may probe may still not call; after this time another one may. */
const PROBE_RESERVED_MS = 1_000;

export function createBreaker(options: BreakerOptions) {
  const { name, deadlineMs, halfOpenAfterMs, onChange, isFailure, describe } = options;
  const breaker = openPolicy(options);
  const entered = { closed: 0, open: 0, half_open: 0 };
  let openedAtMs = 0;
  let probeReservedAtMs = -Infinity;
  let lastError = '';
  /** Since the provider last refused our account; null once it has accepted it. */
  let refusedAccess: string | null = null;
  const openForMs = (): number => openedAtMs + halfOpenAfterMs - Date.now();
  const notSent = (retryAfterMs: number): Unavailable => ({
    kind: 'unavailable',
    reason: lastError,
    retryAfterMs,
    breakerOpen: true,
  });
  const openFor = (): Unavailable =>
    notSent(Math.ceil(Math.min(Math.max(openForMs(), 1), halfOpenAfterMs)));
  const probing = (): Unavailable => notSent(deadlineMs);
  const view = (): Omit<BreakerView, 'notUnderstood'> => {
    const state = stateName(breaker.state);
    const isOpen = state !== 'closed';
    const reason =
      refusedAccess ?? (isOpen ? `circuit breaker open, last error: ${lastError}` : null);
    return { name, state, reason, entered: { ...entered } };
  };
  const noteAccess = (refused: string | null): void => {
    if (refused === refusedAccess) return;
    refusedAccess = refused;
    onChange?.(view());
  };
  breaker.onSuccess(() => noteAccess(null));
  breaker.onFailure(({ reason }) => {
    if (!('error' in reason) || !isFailure(reason.error)) return;
    lastError = describe(reason.error);
    if (reason.error instanceof AccessRefused) noteAccess(lastError);
  });
  breaker.onBreak(() => {
    openedAtMs = Date.now();
    probeReservedAtMs = -Infinity;
  });
  breaker.onStateChange((state) => {
    entered[stateName(state)] += 1;
    onChange?.(view());
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

function openPolicy(options: BreakerOptions) {
  const { breakAfter: minCalls, breakRate: rate, breakWindowMs: windowMs } = options;
  return circuitBreaker(handleWhen(options.isFailure), {
    halfOpenAfter: options.halfOpenAfterMs,
    breaker: new RateBreaker({ windowMs, minCalls, rate }),
  });
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
