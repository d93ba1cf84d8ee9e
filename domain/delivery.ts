/** One event that one subscriber did not accept at first, and the schedules by which it is retried. */
import type { OrderId } from './ids.ts';
import { webhookEndpointOf } from './webhook.ts';

export interface Delivery {
  readonly subscription: string;
  readonly eventId: string;
  readonly orderId: OrderId;
  /** Attempts made so far; 0 after a redrive, or when the subscriber was not called. */
  readonly attempts: number;
  /** Waits before each further attempt, in ms; jitter is added. */
  readonly delaysMs: readonly number[];
  /** ISO 8601; null when nothing has failed yet: an operator requested the delivery. */
  readonly firstFailedAt: string | null;
  readonly error: string | null;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Three attempts within about half a minute: a restart or a deploy of the subscriber. */
export const DEFAULT_RETRY_DELAYS_MS: readonly number[] = [5 * SECOND_MS, 30 * SECOND_MS];

/** A day for what starts workflows: an accepted order or refund depends on it. */
export const STARTER_RETRY_DELAYS_MS: readonly number[] = [
  ...DEFAULT_RETRY_DELAYS_MS,
  2 * MINUTE_MS,
  10 * MINUTE_MS,
  1 * HOUR_MS,
  6 * HOUR_MS,
  18 * HOUR_MS,
];

/** Ten attempts in 75 h 35 min, the first one immediate (Standard Webhooks 1.0). */
export const WEBHOOK_RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** A delivery that an operator requested: one attempt at once, then the whole schedule. */
export function requestedDelivery(
  event: Pick<Delivery, 'subscription' | 'eventId' | 'orderId'>,
): Delivery {
  const isWebhook = webhookEndpointOf(event.subscription) !== null;
  const delaysMs = [0, ...(isWebhook ? WEBHOOK_RETRY_DELAYS_MS : DEFAULT_RETRY_DELAYS_MS)];
  return { ...event, attempts: 0, delaysMs, firstFailedAt: null, error: null };
}
