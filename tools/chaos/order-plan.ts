/** What the customers of a run order: order n is a function of the seed and n. */
import { createRandom } from '../random.ts';
import { orderBody, type OrderRequest } from '../shop-requests.ts';

export interface OrderPlan {
  readonly key: string;
  readonly order: OrderRequest;
  /** The customer cancels so long after the order was accepted; null: never. */
  readonly cancelAfterMs: number | null;
  /** What the shopper does where the bank asks to confirm the payment; null: it does not ask. */
  readonly challenge: Challenge | null;
  /** Only a fault can keep this order from being shipped. */
  readonly shouldSucceed: boolean;
}

/**
 * `page`: confirms, and the shop's page says so. `webhook`: confirms and leaves, so that only the provider
 * says so. `both`: at once. `fails`, or `abandons`: leaves without an answer to the bank.
 */
export type Challenge = 'page' | 'webhook' | 'both' | 'fails' | 'abandons';

/** A product with fewer units than customers who want one. */
export const SCARCE = { sku: 'chaos-scarce', name: 'Scarce', priceMinor: 4200 } as const;

/** A product that one customer buys with store credit, all of it or a part. */
export const CREDITED = { sku: 'chaos-credited', name: 'Credited', priceMinor: 900 } as const;
const CREDIT_PART_MINOR = 400;

/** A product of which the warehouse has fewer units than our stock says. */
export const SHORT = { sku: 'chaos-short', name: 'Short', priceMinor: 1500 } as const;
export const UNITS_PER_SHORT_ORDER = 2;

const PLENTY = ['mug-white', 'tee-black-m'] as const;
const DECLINING_CARD = 'pm_card_chargeDeclined';
/** The last could be asked to confirm, and is not. */
const GOOD_CARDS = [
  'pm_card_visa',
  'pm_card_mastercard',
  'pm_card_amex',
  'pm_card_threeDSecureOptional',
] as const;
const CHALLENGED_CARDS = [
  'pm_card_threeDSecure2Required',
  'pm_card_authenticationRequired',
] as const;
/** How often each happens, of the orders whose bank asks. */
const CHALLENGES: readonly Challenge[] = [
  'page',
  'page',
  'page',
  'webhook',
  'webhook',
  'both',
  'fails',
  'abandons',
];
const DECLINED_SHARE = 0.08;
const CANCELLED_SHARE = 0.12;
const CHALLENGED_SHARE = 0.2;
const TWO_SKUS_SHARE = 0.25;
export const SCARCE_SHARE = 0.06;
/** Every third customer agrees to SMS. */
const TEXTED_EVERY = 3;
export const CREDITED_SHARE = 0.15;
export const SHORT_SHARE = 0.08;
/** Of these, the customers who take what there is. */
const PART_TAKEN_SHARE = 0.75;
const LATEST_CANCEL_MS = 1_500;

/** The n-th order of the run. */
export function planOrder(seed: number, index: number): OrderPlan {
  const random = createRandom(seed, `order ${index}`);
  const drawn = random.next();
  const declines = drawn < DECLINED_SHARE;
  const cancels = !declines && drawn < DECLINED_SHARE + CANCELLED_SHARE;
  const isAsked = drawn >= 1 - CHALLENGED_SHARE;
  const person = {
    email: `customer-${seed}-${index}@example.com`,
    name: `Chaos Customer ${index}`,
    paymentMethod: declines ? DECLINING_CARD : random.pick(isAsked ? CHALLENGED_CARDS : GOOD_CARDS),
    ...(index % TEXTED_EVERY === 0 && { smsTo: `+4917${String(index).padStart(8, '0')}` }),
  };
  const wish = drawWish(random);
  const order = orderFor(wish, { seed, person, random });
  const challenge = isAsked ? random.pick(CHALLENGES) : null;
  const pays = !declines && challenge !== 'fails' && challenge !== 'abandons';
  return {
    key: `chaos-${seed}-${index}`,
    order,
    cancelAfterMs: cancels ? random.between(0, LATEST_CANCEL_MS) : null,
    challenge,
    shouldSucceed:
      pays && !cancels && (wish === 'plenty' || order.fulfillment === 'ship_available'),
  };
}

type Wish = 'plenty' | 'scarce' | 'credited' | 'short';
type Person = Omit<OrderRequest, 'lines'>;
type Random = ReturnType<typeof createRandom>;

function drawWish(random: Random): Wish {
  if (random.chance(SCARCE_SHARE)) return 'scarce';
  if (random.chance(CREDITED_SHARE)) return 'credited';
  return random.chance(SHORT_SHARE) ? 'short' : 'plenty';
}

function orderFor(
  wish: Wish,
  by: { readonly seed: number; readonly person: Person; readonly random: Random },
): OrderRequest {
  const { seed, person, random } = by;
  switch (wish) {
    case 'plenty':
      return { ...person, lines: linesOf(random) };
    case 'scarce':
      return { ...person, lines: [{ sku: SCARCE.sku, quantity: 1 }] };
    case 'credited':
      return onCredit(seed, person, random);
    case 'short': {
      // There is always a mug to ship.
      const short = { sku: SHORT.sku, quantity: UNITS_PER_SHORT_ORDER };
      const lines = [short, { sku: PLENTY[0], quantity: 1 }];
      const takesPart = random.chance(PART_TAKEN_SHARE);
      return { ...person, lines, ...(takesPart && { fulfillment: 'ship_available' }) };
    }
  }
}

/** The customer whose balance they race for. */
export function creditOwner(seed: number) {
  return { email: `credit-${seed}@example.com`, name: 'Chaos Credit' };
}

/** The same customer each time, and only the balance pays: a part with the card, or all without one. */
function onCredit(seed: number, { paymentMethod }: Person, random: Random): OrderRequest {
  const order = { ...creditOwner(seed), lines: [{ sku: CREDITED.sku, quantity: 1 }] };
  if (paymentMethod === undefined || random.chance(0.5)) {
    return { ...order, creditMinor: CREDITED.priceMinor };
  }
  return { ...order, creditMinor: CREDIT_PART_MINOR, paymentMethod };
}

/** The request's body; the same bytes at every attempt. */
export function bodyOf({ order }: OrderPlan): string {
  return JSON.stringify(orderBody(order));
}

/** Two SKUs come in either order: code that locks them as they come would deadlock. */
function linesOf(random: Random): OrderRequest['lines'] {
  const skus = random.shuffled(PLENTY).slice(0, random.chance(TWO_SKUS_SHARE) ? 2 : 1);
  return skus.map((sku) => ({ sku, quantity: random.between(1, 3) }));
}
