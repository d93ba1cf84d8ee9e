/**
 * What every outside call can end in besides its own answers. Adapters return these; they never
 * throw for anything a provider or a network can do (G3: unknown is never read as failure).
 */

/** Nothing reached the provider: breaker open, bulkhead full. Trying again after the wait is safe. */
export interface Unavailable {
  readonly kind: 'unavailable';
  readonly retryAfterMs: number;
}

/** The call may have taken effect: deadline passed, connection lost, 5xx. Look up before anything else. */
export interface Unknown {
  readonly kind: 'unknown';
  readonly reason: string;
}

export type NoAnswer = Unavailable | Unknown;

/** State of one circuit breaker, for /readyz and /metrics. */
export interface BreakerView {
  readonly name: string;
  readonly state: 'closed' | 'open' | 'half_open';
}
