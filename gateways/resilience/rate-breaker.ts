/**
 * Opens a circuit breaker by the rate of failures within a time window. The library's own keeps calls
 * of hours ago while few arrive, so that failures of last night would count today.
 */
import { CircuitState, type IBreaker } from 'cockatiel';

export interface FailureRate {
  readonly windowMs: number;
  /** At least this many calls must have ended within the window. */
  readonly minCalls: number;
  /** More than this share of them failed, from 0 to 1. */
  readonly rate: number;
}

interface Slice {
  readonly index: number;
  calls: number;
  failures: number;
}

/** The window moves by a tenth of its length. */
const SLICES = 10;

export class RateBreaker implements IBreaker {
  /** The counts of the window, oldest first. */
  state: Slice[] = [];
  readonly #options: FailureRate;

  constructor(options: FailureRate) {
    this.#options = options;
  }

  success(state: CircuitState): void {
    if (state === CircuitState.HalfOpen) this.state = [];
    this.#count(false);
  }

  failure(state: CircuitState): boolean {
    this.#count(true);
    if (state !== CircuitState.Closed) return true;
    const calls = this.state.reduce((sum, slice) => sum + slice.calls, 0);
    const failures = this.state.reduce((sum, slice) => sum + slice.failures, 0);
    return calls >= this.#options.minCalls && failures > this.#options.rate * calls;
  }

  #count(hasFailed: boolean): void {
    const index = Math.floor((Date.now() * SLICES) / this.#options.windowMs);
    this.state = this.state.filter((slice) => slice.index > index - SLICES && slice.index <= index);
    let slice = this.state.at(-1);
    if (slice?.index !== index) {
      slice = { index, calls: 0, failures: 0 };
      this.state.push(slice);
    }
    slice.calls += 1;
    slice.failures += hasFailed ? 1 : 0;
  }
}
