/** What the shoppers of a run want: order n is a function of the seed and n. */
import { createRandom } from './random.ts';

export interface OrderPlan {
  readonly index: number;
  readonly key: string;
  readonly email: string;
  readonly paymentMethod: string;
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  /** So long after the order was accepted the shopper cancels; null: never. */
  readonly cancelAfterMs: number | null;
  /** Nothing but the faults stands between this order and its parcel. */
  readonly shouldSucceed: boolean;
}

/** Fewer units than shoppers who want one. */
export const SCARCE = { sku: 'chaos-scarce', priceMinor: 4200 } as const;

const PLENTY = ['mug-white', 'tee-black-m'] as const;
const DECLINING_CARD = 'pm_card_chargeDeclined';
const GOOD_CARDS = ['pm_card_visa', 'pm_card_mastercard', 'pm_card_amex'] as const;
const DECLINED_SHARE = 0.08;
const CANCELLED_SHARE = 0.12;
const TWO_SKUS_SHARE = 0.25;
export const SCARCE_SHARE = 0.06;
const LATEST_CANCEL_MS = 1_500;

/** The n-th order of the run. */
export function planOrder(seed: number, index: number): OrderPlan {
  const random = createRandom(seed, `order ${index}`);
  const fate = random.next();
  const declines = fate < DECLINED_SHARE;
  const cancels = !declines && fate < DECLINED_SHARE + CANCELLED_SHARE;
  const scarce = random.chance(SCARCE_SHARE);
  return {
    index,
    key: `chaos-${seed}-${index}`,
    email: `shopper-${seed}-${index}@example.com`,
    paymentMethod: declines ? DECLINING_CARD : random.pick(GOOD_CARDS),
    lines: scarce ? [{ sku: SCARCE.sku, quantity: 1 }] : linesOf(random),
    cancelAfterMs: cancels ? random.between(0, LATEST_CANCEL_MS) : null,
    shouldSucceed: !declines && !cancels && !scarce,
  };
}

/** The request's body; the same bytes at every try. */
export function bodyOf(plan: OrderPlan): string {
  return JSON.stringify({
    customer: { email: plan.email, name: `Shopper ${plan.index}` },
    shipping_address: {
      line1: `${plan.index} Harbour Road`,
      city: 'London',
      postal_code: 'SW1Y 4JH',
      country: 'GB',
    },
    lines: plan.lines,
    currency: 'EUR',
    payment_method: plan.paymentMethod,
  });
}

/** Two SKUs come in either order: whoever locks them as they come would deadlock. */
function linesOf(random: ReturnType<typeof createRandom>): OrderPlan['lines'] {
  const skus = random.shuffled(PLENTY).slice(0, random.chance(TWO_SKUS_SHARE) ? 2 : 1);
  return skus.map((sku) => ({ sku, quantity: random.between(1, 3) }));
}
