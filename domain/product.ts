/** The catalog and its stock. */

export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly description: string | null;
  readonly priceMinor: number;
  readonly currency: string;
  readonly version: number;
  /** Not sold any more: not listed, and no order takes it. */
  readonly archived: boolean;
  readonly updatedAt: string;
}

export interface Stock {
  readonly sku: string;
  readonly onHand: number;
  readonly held: number;
  readonly available: number;
}

/** Why a line cannot be held. `gone`: sold. `held`: held by shoppers who are still paying; may become free. */
export interface Shortage {
  readonly sku: string;
  readonly requested: number;
  readonly available: number;
  readonly cause: 'gone' | 'held';
}
