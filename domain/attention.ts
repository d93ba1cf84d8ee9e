/**
 * What a person may decide about a step that waits, and what each decision does. The workflow, the
 * API and the sweep go by this one table.
 */
import type { Notification } from './ids.ts';
import type { CancelReason } from './order.ts';

export type Decision = 'retry' | 'skip' | 'cancel';

/** Where an order stands between its steps. */
export type CheckoutStage = 'placed' | 'reserved' | 'paid' | 'cancelling';

/** The whole checkout, when what carries it is gone or fails, and no single step waits. */
export const CHECKOUT_STEP = 'checkout';

const GIVE_UP = 'Gives the order up: everything done is undone, and the customer is told.';
const LEAVE_TO_HAND = 'Takes it as undone by hand: nothing more is asked of the provider.';

/** Each decision a step allows, with its effect in words for an operator. */
const DECISIONS: Readonly<Record<string, Partial<Readonly<Record<Decision, string>>>>> = {
  capturePayment: {
    retry: 'Asks the provider for the money again, under the same key, then goes on.',
    skip: 'Takes the money as captured by hand and goes on to shipping. It is not let go any more.',
    cancel: GIVE_UP,
  },
  shipOrder: {
    retry: 'Asks the warehouse to ship again, under the same key.',
    skip: 'Takes the goods as sent by hand: the warehouse is told not to ship, and the order is shipped.',
    cancel: GIVE_UP,
  },
  releaseStock: {
    retry: 'Asks the warehouse again to release the goods, under the same key.',
    skip: LEAVE_TO_HAND,
  },
  voidOrRefundPayment: {
    retry: 'Looks up what happened to the money, then voids or refunds it under the same key.',
    skip: LEAVE_TO_HAND,
  },
  cancelShipment: {
    retry: 'Asks the warehouse again not to ship.',
    skip: LEAVE_TO_HAND,
  },
  [CHECKOUT_STEP]: {
    retry: 'Starts the checkout again from where the books stand, under the same keys.',
    cancel: GIVE_UP,
  },
};

/** What is open for the step: decisions with their effects. */
export function decisionsAbout(
  step: string,
): readonly { readonly action: Decision; readonly effect: string }[] {
  const allowed = DECISIONS[step] ?? {};
  return (['retry', 'skip', 'cancel'] as const).flatMap((action) => {
    const effect = allowed[action];
    return effect === undefined ? [] : [{ action, effect }];
  });
}

/** True when a person may decide this about the step. */
export function isDecisionAbout(step: string, decision: Decision): boolean {
  return DECISIONS[step]?.[decision] !== undefined;
}

/** Where an order stands once a person took the step as settled by hand; null: where it stood. */
export function stageAfterSkip(step: string): CheckoutStage | null {
  return step === 'capturePayment' || step === 'shipOrder' ? 'paid' : null;
}

/** The step a notice is; its failures are counted like any other's. */
export function notificationStep(notification: Notification): string {
  return `notify: ${notification}`;
}

/** Stripe's window for holding money on a card, for a provider that names no end of its own. */
export const HOLD_LASTS_MS = 7 * 24 * 3_600_000;

/** Money nobody captured is let go this long before its hold lapses by itself. */
export const HOLD_MARGIN_MS = 12 * 3_600_000;

/** `retry` does the step again under the same key; `skip` takes it as settled by hand; `cancel` undoes the order. */
export interface Resolution {
  readonly step: string;
  readonly decision: Decision;
  readonly note: string;
  readonly actor: string;
}

/** How a new run continues what an earlier one left, by the books. */
export interface Resume {
  readonly from: CheckoutStage;
  /** Undo the order, for this reason; null: go forward. */
  readonly undo: CancelReason | null;
  /** What was decided about the step the order is parked at; null when it is not parked. */
  readonly resolution: Resolution | null;
  /** True when a person sent the goods past the warehouse. */
  readonly shippedManually: boolean;
}
