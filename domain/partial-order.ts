/** An order of which the warehouse can send only a part: what is sent, and what it costs. Pure. */
import type { AmountLimits } from './money.ts';
import { chargeOf, type Charge, type Order, type OrderLine } from './order.ts';
import { priceSent } from './refund-lines.ts';

export interface PartialOrder {
  /** Every line of the order. */
  readonly lines: readonly (Pick<OrderLine, 'sku' | 'quantity'> & {
    readonly reservedQuantity: number;
  })[];
  readonly charge: Charge;
  /** Store credit that is given back, before anything of the card is. */
  readonly creditBackMinor: number;
}

/**
 * The order with the units that are reserved. Null when the card was to pay and what it would pay is less
 * than can be charged, or nothing: what is sent would be free. `limits`: null when no card can be charged
 * in the currency.
 */
export function reduceOrder(
  order: Pick<Order, 'totalMinor' | 'creditMinor' | 'lines'>,
  reserved: readonly Pick<OrderLine, 'sku' | 'quantity'>[],
  limits: AmountLimits | null,
): PartialOrder | null {
  const { stepMinor, minMinor } = limits ?? { stepMinor: 1, minMinor: 1 };
  const lines = order.lines.map((line) => ({ ...line, reservedQuantity: unitsOf(reserved, line) }));
  const dueMinor = priceSent({ ...order, lines }, stepMinor);
  const charge = chargeOf({ ...order, dueMinor });
  const isOnCard = order.totalMinor > order.creditMinor;
  if (isOnCard && charge.cardMinor < minMinor) return null;
  return { lines, charge, creditBackMinor: order.creditMinor - charge.creditMinor };
}

function unitsOf(
  reserved: readonly Pick<OrderLine, 'sku' | 'quantity'>[],
  { sku }: Pick<OrderLine, 'sku'>,
): number {
  return reserved.reduce((sum, each) => sum + (each.sku === sku ? each.quantity : 0), 0);
}
