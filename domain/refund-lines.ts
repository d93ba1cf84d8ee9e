/**
 * Refunds by lines: what units of an order cost, with their part of its adjustments. Pure.
 *
 * The total of an order is divided among its lines in proportion to their prices, by the largest
 * remainder, and the share of a line evenly among its units. A refund is what its units cost up to now,
 * less what was refunded for them before: refunds of all units sum to the total, however they are split.
 * What an order costs of which not all is sent is what its units cost that are sent, so the same is true of it.
 */
import { sentQuantity, type OrderLine } from './order.ts';

/** Units of one line of an order. */
export interface RefundLine {
  readonly sku: string;
  readonly quantity: number;
  /** The units have come back and are on hand again. */
  readonly restock?: boolean | undefined;
}

/** The same with what they cost. */
export interface RefundedLine extends RefundLine {
  readonly amountMinor: number;
  readonly restock: boolean;
}

type PricedLine = Pick<OrderLine, 'sku' | 'quantity' | 'unitPriceMinor'> & {
  readonly reservedQuantity?: number | null;
};

export interface PricedOrder {
  readonly totalMinor: number;
  readonly lines: readonly PricedLine[];
  /** The lines of refunds that succeeded or are open. */
  readonly refunded: readonly Omit<RefundedLine, 'restock'>[];
}

/** `index`: of the line that was refused, in what was asked for. */
export type PricedRefund =
  | { readonly kind: 'priced'; readonly lines: readonly RefundedLine[] }
  | { readonly kind: 'not_ordered'; readonly index: number }
  | { readonly kind: 'too_many'; readonly index: number; readonly left: number };

/**
 * What the units cost. `wanted` has each SKU once; every amount is a multiple of `stepMinor`, as the
 * order's are.
 */
export function priceRefund(
  order: PricedOrder,
  wanted: readonly RefundLine[],
  stepMinor: number,
): PricedRefund {
  const shares = sharesOf(order, stepMinor);
  const lines: RefundedLine[] = [];
  for (const [index, { sku, quantity, restock = false }] of wanted.entries()) {
    const position = order.lines.findIndex((line) => line.sku === sku);
    const line = order.lines[position];
    if (line === undefined) return { kind: 'not_ordered', index };
    const before = order.refunded.filter((each) => each.sku === sku);
    const units = before.reduce((sum, each) => sum + each.quantity, 0);
    const left = sentQuantity(line) - units;
    if (quantity > left) return { kind: 'too_many', index, left };
    const due = part(shares[position] ?? 0, {
      of: line.quantity,
      stepMinor,
      units: units + quantity,
    });
    const paid = before.reduce((sum, each) => sum + each.amountMinor, 0);
    // After a failed refund, fewer units can have cost more than their part is now.
    lines.push({ sku, quantity, amountMinor: Math.max(0, due - paid), restock });
  }
  return { kind: 'priced', lines };
}

/** What the lines cost of which less is sent: at most the total, and a multiple of `stepMinor`. */
export function priceSent(order: Omit<PricedOrder, 'refunded'>, stepMinor: number): number {
  const shares = sharesOf(order, stepMinor);
  const costs = order.lines.map((line, position) =>
    part(shares[position] ?? 0, { of: line.quantity, stepMinor, units: sentQuantity(line) }),
  );
  return costs.reduce((sum, cost) => sum + cost, 0);
}

/** The share of each line, whose sum is the total. In integers: the products exceed a double's. */
function sharesOf(
  { lines, totalMinor }: Omit<PricedOrder, 'refunded'>,
  stepMinor: number,
): readonly number[] {
  const steps = BigInt(Math.floor(totalMinor / stepMinor));
  const prices = lines.map((line) => BigInt(line.unitPriceMinor) * BigInt(line.quantity));
  const isFree = prices.every((price) => price === 0n);
  const weights = isFree ? lines.map(({ quantity }) => BigInt(quantity)) : prices;
  const sum = weights.reduce((so_far, weight) => so_far + weight, 0n);
  const divided = weights.map((weight, position) => ({
    position,
    whole: (steps * weight) / sum,
    rest: (steps * weight) % sum,
  }));
  const missing = divided.reduce((left, { whole }) => left - whole, steps);
  const raised = divided
    .toSorted((a, b) => (a.rest === b.rest ? a.position - b.position : a.rest > b.rest ? -1 : 1))
    .slice(0, Number(missing))
    .map(({ position }) => position);
  return divided.map(
    ({ position, whole }) => (Number(whole) + (raised.includes(position) ? 1 : 0)) * stepMinor,
  );
}

/** What the first `units` of a line's units cost, of its share. */
function part(
  shareMinor: number,
  {
    of,
    stepMinor,
    units,
  }: { readonly of: number; readonly stepMinor: number; readonly units: number },
): number {
  return Math.floor(((shareMinor / stepMinor) * units) / of) * stepMinor;
}
