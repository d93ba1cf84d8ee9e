/**
 * How a call to a provider can end without a response. Adapters return these as data and throw for
 * no failure of a network or provider: an unknown outcome is never read as a failure. What they throw
 * is our own fault: a bug, or a `ProviderRejection`.
 */

/**
 * Nothing was done: breaker open, bulkhead full, provider busy, our credentials refused. A retry after
 * the wait is safe.
 */
export interface Unavailable {
  readonly kind: 'unavailable';
  /** The cause in words; of an open circuit breaker, the last error that it saw. */
  readonly reason: string;
  readonly retryAfterMs: number;
  /** True when the circuit breaker kept the call from being sent. */
  readonly breakerOpen?: true;
}

/** The call may have taken effect: deadline passed, connection lost, 5xx. Look it up first. */
interface Unknown {
  readonly kind: 'unknown';
  /** The cause in words, e.g. `connection refused by the warehouse`. */
  readonly reason: string;
  /** True when the provider answered outside of its contract: a repeat gives the same answer. */
  readonly notUnderstood?: true;
}

/** A record in a provider's list that is not understood. It is looked up, never passed over. */
export interface UnreadableRecord {
  /** The reference of the payment, or the order; null when not even that can be read. */
  readonly subject: string | null;
  /** The order that it names, ours or not; null when it names none. */
  readonly orderId: string | null;
}

export type NoResponse = Unavailable | Unknown;

export type BreakerState = 'closed' | 'open' | 'half_open';

/** One circuit breaker, for /readyz and /metrics. */
export interface BreakerView {
  readonly name: string;
  readonly state: BreakerState;
  /** Why calls of this group fail now, in words; null when the last ones did not. */
  readonly reason: string | null;
  /** How often it entered each state since the process started. */
  readonly entered: Readonly<Record<BreakerState, number>>;
  /** How many answers were not understood since the process started. */
  readonly notUnderstood: number;
}

/** Called when a breaker enters a state, or its reason changes. */
export type BreakerListener = (view: Pick<BreakerView, 'name' | 'state' | 'reason'>) => void;

/**
 * The provider rejected the request itself: malformed, or a key used for something else. Nothing was
 * done, and the same request can never succeed: it needs a person. The message contains technical
 * codes only, never the provider's text. Modules that may not import this one by value recognize it by
 * `error.name`, which is also its failure type in Temporal.
 */
export class ProviderRejection extends Error {
  override readonly name = 'ProviderRejection';
  readonly code: string;

  constructor(provider: string, code: string) {
    super(`${provider} rejected the request: ${code}`);
    this.code = code;
  }
}
