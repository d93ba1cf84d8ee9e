/** One event that one subscriber did not take at the first try. */
import type { OrderId } from './ids.ts';

export interface Delivery {
  readonly subscription: string;
  readonly eventId: string;
  readonly orderId: OrderId;
  /** Attempts made so far; none by a redrive, or when the consumer could not be asked. */
  readonly attempts: number;
  /** Waits before each further attempt, in ms; jitter is added. */
  readonly delaysMs: readonly number[];
  /** ISO 8601; null when nothing has failed yet: a person asked for it. */
  readonly firstFailedAt: string | null;
  readonly error: string | null;
}
