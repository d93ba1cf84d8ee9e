/**
 * The six fates an order can have, as data: what is ordered, what is broken, how it must end. Pure;
 * runner.ts plays them.
 */
import type { Notification } from '../../domain/ids.ts';
import type { CancelReason, OrderStatus, PaymentStatus } from '../../domain/order.ts';

/** A fault of the sandbox. `times` bounds it, so that no breaker opens and the demo stays quick. */
export interface Fault {
  readonly place: string;
  readonly mode: 'refuse' | 'down';
  readonly times: number;
  /** `order_shipped`: cleared then, before the end; what it held up must come afterwards. */
  readonly clears: 'at_the_end' | 'order_shipped';
}

export interface Ending {
  readonly answer: 201 | 402 | 409;
  /** The code of the problem when the answer is one. */
  readonly code: string | null;
  /** Null when no order may exist. */
  readonly status: OrderStatus | null;
  readonly cancelReason: CancelReason | null;
  readonly payment: PaymentStatus | null;
  readonly workflow: 'completed' | 'none';
  /** How often each effect happened at the providers, by their own ledgers. */
  readonly effects: Readonly<Record<string, number>>;
  readonly mails: readonly Notification[];
  /** Units of the SKU that are held now and were not before. */
  readonly stillHeld: 0;
}

export interface Scenario {
  readonly name: string;
  readonly story: string;
  readonly sku: string;
  readonly quantity: number;
  readonly paymentMethod: string;
  readonly fault: Fault | null;
  readonly ends: Ending;
}

const A_MUG = { sku: 'mug-white', quantity: 2, paymentMethod: 'pm_card_visa' } as const;

const SHIPPED: Ending = {
  answer: 201,
  code: null,
  status: 'shipped',
  cancelReason: null,
  payment: 'captured',
  workflow: 'completed',
  effects: { authorize: 1, reserve: 1, capture: 1, ship: 1 },
  mails: ['confirmed', 'shipped'],
  stillHeld: 0,
};

const REFUSED = {
  status: null,
  cancelReason: null,
  payment: null,
  workflow: 'none',
  effects: {},
  mails: [],
  stillHeld: 0,
} as const;

export const SCENARIOS: readonly Scenario[] = [
  {
    ...A_MUG,
    name: 'shipped',
    story: 'Everybody answers.',
    fault: null,
    ends: SHIPPED,
  },
  {
    ...A_MUG,
    name: 'declined',
    story: 'The card is declined: the shopper is told at once, the stock is free again.',
    paymentMethod: 'pm_card_chargeDeclined',
    fault: null,
    ends: {
      ...REFUSED,
      answer: 402,
      code: 'payment_declined',
      status: 'declined',
      payment: 'declined',
    },
  },
  {
    ...A_MUG,
    name: 'sold out',
    story: 'Nothing to hold: no order, no payment asked for.',
    sku: 'sold-out',
    quantity: 1,
    fault: null,
    ends: { ...REFUSED, answer: 409, code: 'out_of_stock' },
  },
  {
    ...A_MUG,
    name: 'not reserved',
    story: 'The warehouse cannot set the goods aside: the authorization is let go.',
    fault: { place: 'warehouse/reserve', mode: 'refuse', times: 1, clears: 'at_the_end' },
    ends: {
      ...SHIPPED,
      status: 'cancelled',
      cancelReason: 'warehouse_refused',
      payment: 'voided',
      effects: { authorize: 1, void: 1 },
      mails: ['cancelled'],
    },
  },
  {
    ...A_MUG,
    name: 'not shipped',
    story: 'Shipping is refused when the money is taken: it goes back, and so do the goods.',
    sku: 'tee-black-m',
    fault: { place: 'warehouse/ship', mode: 'refuse', times: 1, clears: 'at_the_end' },
    ends: {
      ...SHIPPED,
      status: 'cancelled',
      cancelReason: 'shipping_refused',
      payment: 'refunded',
      effects: { authorize: 1, reserve: 1, capture: 1, refund: 1, release: 1 },
      mails: ['confirmed', 'cancelled'],
    },
  },
  {
    ...A_MUG,
    name: 'mail down',
    story: 'The mail server is away: the order ships all the same, the mails come later.',
    sku: 'tee-black-m',
    fault: { place: 'mail/send', mode: 'down', times: 4, clears: 'order_shipped' },
    ends: SHIPPED,
  },
];
