/**
 * What a subscriber of events is. Delivery is at least once and in log order as long as all goes
 * well; a subscriber that must act once dedupes by event id (`consumeOnce`).
 */
import type { EventType } from '../../../domain/order.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';

export interface Subscriber {
  /** The subscription's name, in Temporal and in the API. Never changed: the cursor hangs on it. */
  readonly name: string;
  /** Empty: every type. */
  readonly types: readonly EventType[];
  /** Where a new subscription begins to read. */
  readonly startsAt: 'beginning' | 'now';
  /** Events handed over at once, at the most. */
  readonly maxBatch: number;
  /** Events younger than this wait, so that a batch fills up or an order has time to move by itself. */
  readonly delayMs: number;
  /** One call of `handle` may take this long; then it counts as failed. */
  readonly deadlineMs: number;
  /** Waits between the attempts after the first, in ms. Their number plus one is the attempts. */
  readonly retryDelaysMs: readonly number[];
  /**
   * Handles the events, all or none. A batch that throws is handed over again one by one, and an
   * event that throws alone becomes a delivery workflow of its own; the others go on. Throw
   * `DeliveryError` to say more than "failed".
   */
  handle(events: readonly LoggedEvent[], signal: AbortSignal): Promise<void>;
}

/** A failure that says when, or that never, to try again. The message holds no personal data. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  /** Not before this, e.g. from a Retry-After header. */
  readonly retryAfterMs: number | null;
  /** True when no repeat can help, e.g. HTTP 410. */
  readonly final: boolean;
  /** False when the consumer was not even asked: no attempt of its own. */
  readonly attempted: boolean;

  constructor(
    message: string,
    more: {
      readonly retryAfterMs?: number;
      readonly final?: boolean;
      readonly attempted?: boolean;
    } = {},
  ) {
    super(message);
    this.retryAfterMs = more.retryAfterMs ?? null;
    this.final = more.final ?? false;
    this.attempted = more.attempted ?? true;
  }
}

/**
 * Thrown by `handle` when some events of the batch were taken and some were not: only those named
 * here are tried again.
 */
export class PartialFailure extends Error {
  override readonly name = 'PartialFailure';
  readonly failed: readonly { readonly event: LoggedEvent; readonly error: unknown }[];

  constructor(failed: PartialFailure['failed']) {
    super(`${failed.length} events of the batch were not taken`);
    this.failed = failed;
  }
}
