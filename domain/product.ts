/** The catalog, its prices and its stock. */

export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly description: string | null;
  readonly priceMinor: number;
  readonly currency: string;
  /** In other currencies, in the order of their codes. */
  readonly prices: readonly Price[];
  readonly version: number;
  /** Not sold any more: not listed, and no order takes it. */
  readonly archived: boolean;
  readonly updatedAt: string;
}

export interface Price {
  readonly currency: string;
  readonly priceMinor: number;
}

type Priced = Pick<Product, 'priceMinor' | 'currency' | 'prices'>;

/** What one unit costs in the currency, in minor units; null when it is not sold in it. */
export function priceIn(product: Priced, currency: string): number | null {
  return allPrices(product).find((price) => price.currency === currency)?.priceMinor ?? null;
}

/** All prices, the product's own first. */
export function allPrices({ priceMinor, currency, prices }: Priced): readonly Price[] {
  return [{ priceMinor, currency }, ...prices];
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
