/** The shop's own rule for shipping: Holdfast only adds what a shop sends with the order. */
import type { Adjustment } from './api.ts';
import type { BasketLine } from './basket.ts';
import { totalOf } from './catalog-page.ts';

/** In minor units, by currency. In any other it is free. */
const RATES: Readonly<Record<string, { readonly minor: number; readonly freeFromMinor: number }>> =
  {
    EUR: { minor: 490, freeFromMinor: 5_000 },
    JPY: { minor: 800, freeFromMinor: 8_000 },
    KWD: { minor: 1_500, freeFromMinor: 16_000 },
    USD: { minor: 550, freeFromMinor: 5_500 },
  };

export function shippingOf(lines: readonly BasketLine[]): Adjustment {
  const rate = RATES[lines[0]?.product.currency ?? ''];
  const isFree = rate === undefined || totalOf(lines) >= rate.freeFromMinor;
  return {
    kind: 'shipping',
    label: isFree ? 'Free shipping' : 'Standard shipping',
    amount_minor: isFree ? 0 : rate.minor,
  };
}
