/**
 * The interface of a subscriber. Delivery is at least once, and in log order as long as nothing fails;
 * a subscriber that must act once deduplicates by event id (`consumeOnce`).
 */
import type { EventType } from '../../../domain/order.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';

export interface Subscriber {
  /** The subscription's name, in Temporal and in the API. Never rename it: the cursor is stored by name. */
  readonly name: string;
  /** Empty: every type. */
  readonly types: readonly EventType[];
  /** Where a new subscription starts to read. */
  readonly startsAt: 'beginning' | 'now';
  /** True: no subscription is added for it; one that there is passes over every event. */
  readonly isOff?: boolean;
  /** The most events per batch. */
  readonly maxBatch: number;
  /** Younger events wait, so that a batch fills up or an order has time to progress on its own. */
  readonly delayMs: number;
  /** The deadline of one call of `handle`. */
  readonly deadlineMs: number;
  /** Waits before each attempt after the first, in ms (domain/delivery.ts). */
  readonly retryDelaysMs: readonly number[];
  /**
   * The events of a batch that the subscriber has to handle; the pump passes over the others. Left out:
   * all of them. It decides by what was wanted when the event was written, never by an attempt.
   */
  selectWanted?(events: readonly LoggedEvent[]): Promise<readonly LoggedEvent[]>;
  /**
   * Handles the events, all or none. A batch that throws is delivered again one event at a time, and
   * an event that throws on its own gets a delivery workflow; the others continue. Throw a
   * `DeliveryError` to say when to retry.
   */
  handle(events: readonly LoggedEvent[], signal: AbortSignal): Promise<void>;
}

/** A failure that says when to retry, or never. The message holds no personal data. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  /** The earliest next attempt, e.g. from a Retry-After header. */
  readonly retryAfterMs: number | null;
  /** True when a retry cannot succeed, e.g. HTTP 410. */
  readonly final: boolean;
  /** False when the subscriber was not called: it does not count as an attempt. */
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

/** Throws unless nothing failed. A single event fails with its own error, which says when to retry. */
export function throwFailed(
  events: readonly LoggedEvent[],
  failed: PartialFailure['failed'],
): void {
  const [first] = failed;
  if (!first) return;
  throw events.length === 1 ? first.error : new PartialFailure(failed);
}

/**
 * Thrown by `handle` when it handled only a part of the batch: only the events named here are retried.
 */
export class PartialFailure extends Error {
  override readonly name = 'PartialFailure';
  readonly failed: readonly { readonly event: LoggedEvent; readonly error: unknown }[];

  constructor(failed: PartialFailure['failed']) {
    super(`${failed.length} events of the batch failed`);
    this.failed = failed;
  }
}
