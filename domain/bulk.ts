/** Bulk work: one action on many orders or dead letters, each item on its own. */

export const BULK_ACTIONS = ['cancel', 'refund', 'redrive'] as const;
export type BulkAction = (typeof BULK_ACTIONS)[number];

/** The most items of one job. */
export const MAX_BULK_ITEMS = 10_000;

/** The items that a filter finds, in the order in which they are worked on. */
export interface BulkSelection {
  readonly ids: readonly string[];
  /** What would be cancelled or refunded, one sum per currency. */
  readonly amounts: readonly { readonly currency: string; readonly amountMinor: number }[];
}

/**
 * `refused`: nothing was changed. `undecided`: the same item asked again has the result. The reason is for
 * people.
 */
export type BulkItemOutcome =
  { readonly kind: 'done' } | { readonly kind: 'refused' | 'undecided'; readonly reason: string };

/** The job, as its items see it. */
export interface BulkOrigin {
  readonly jobId: string;
  /** The API key that created it. */
  readonly actor: string;
  readonly note: string;
}
