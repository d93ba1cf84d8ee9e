/** Why an order can no longer be cancelled: `reason` of the problem `not_cancellable`, with words for people. */
export const CANCEL_REFUSALS = {
  not_placed_yet: 'it is not placed yet',
  already_declined: 'its payment was declined',
  already_expired: 'it has expired',
  already_cancelled: 'it is cancelled already',
  already_cancelling: 'it is being cancelled already',
  already_shipped: 'it has been shipped',
  already_delivered: 'it has been delivered',
  parcel_left: 'the parcel has left the warehouse',
  warehouse_undecided: 'the warehouse does not say whether the parcel has left',
  needs_attention: 'an operator has to decide about it first',
  checkout_ended: 'its checkout has ended',
} as const;

export type CancelRefusal = keyof typeof CANCEL_REFUSALS;

export function isCancelRefusal(value: unknown): value is CancelRefusal {
  return typeof value === 'string' && Object.hasOwn(CANCEL_REFUSALS, value);
}
