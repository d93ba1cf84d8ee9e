/**
 * What every outside call can end in besides its own answers. Adapters return these and throw for
 * nothing a network or an ailing provider can do (G3: unknown is never read as failure). What they
 * do throw is our own fault: a bug, or a `ProviderRejection`.
 */

/** Nothing reached the provider: breaker open, bulkhead full. Trying again after the wait is safe. */
export interface Unavailable {
  readonly kind: 'unavailable';
  readonly retryAfterMs: number;
}

/** The call may have taken effect: deadline passed, connection lost, 5xx. Look up before anything else. */
interface Unknown {
  readonly kind: 'unknown';
  readonly reason: string;
}

export type NoAnswer = Unavailable | Unknown;

export type BreakerState = 'closed' | 'open' | 'half_open';

/** One circuit breaker, for /readyz and /metrics. */
export interface BreakerView {
  readonly name: string;
  readonly state: BreakerState;
  /** How often it entered each state since the process began. */
  readonly entered: Readonly<Record<BreakerState, number>>;
}

/**
 * The provider turned the request itself down: malformed, bad credentials, a key used for something
 * else. Nothing was done, and the same request can never succeed: a person has to look. The message
 * holds technical codes only, never the provider's text. Whoever may not import this module by value
 * knows it by `error.name`, which is also the failure type Temporal gives it.
 */
export class ProviderRejection extends Error {
  override readonly name = 'ProviderRejection';
  readonly code: string;

  constructor(provider: string, code: string) {
    super(`${provider} rejected the request: ${code}`);
    this.code = code;
  }
}
