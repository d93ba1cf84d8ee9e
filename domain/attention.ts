/** An order that needs attention: the decision of an operator, and how a new run takes it up. */
import type { CheckoutStage, Decision } from './checkout-steps.ts';
import type { Notification } from './ids.ts';
import type { CancelReason } from './order.ts';

/** The step under which the failures of a notification are counted. */
export function notificationStep(notification: Notification): string {
  return `notify: ${notification}`;
}

/** Stripe's lifetime of a card authorization, for a provider that names no expiry of its own. */
export const AUTHORIZATION_LIFETIME_MS = 7 * 24 * 3_600_000;

/** An uncaptured authorization is voided this long before it expires. */
export const AUTHORIZATION_MARGIN_MS = 12 * 3_600_000;

/** `retry` runs the step again under the same key, `skip` treats it as done manually. */
export interface Resolution {
  readonly step: string;
  readonly decision: Decision;
  readonly note: string;
  readonly actor: string;
}

/** How a new run continues an order whose earlier run is gone, by the records in the database. */
export interface Resume {
  readonly from: CheckoutStage;
  /** Why the order is compensated; null: it goes forward. */
  readonly cancelReason: CancelReason | null;
  /** The decision about the step that needs attention; null when none does. */
  readonly resolution: Resolution | null;
  /** True when an operator shipped the order without the warehouse. */
  readonly shippedManually: boolean;
}
