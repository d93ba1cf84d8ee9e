/** The shop's own rule for shipping: Holdfast only adds what a shop sends with the order. */
import type { Adjustment } from './api.ts';
import type { BasketLine } from './basket.ts';
import { totalOf } from './catalog-page.ts';

const SHIPPING_MINOR = 490;
const FREE_FROM_MINOR = 5_000;

export function shippingOf(lines: readonly BasketLine[]): Adjustment {
  const isFree = totalOf(lines) >= FREE_FROM_MINOR;
  return {
    kind: 'shipping',
    label: isFree ? 'Free shipping' : 'Standard shipping',
    amount_minor: isFree ? 0 : SHIPPING_MINOR,
  };
}
