/** The demo's seven scenarios as data: what is ordered, which fault is armed, the expected outcome. */
import type { Notification } from '../../domain/ids.ts';
import type { CancelReason, OrderStatus } from '../../domain/order.ts';
import type { PaymentStatus } from '../../domain/payment.ts';

/** A fault of the sandbox. `times` bounds it, so that no circuit breaker opens. */
export interface Fault {
  readonly place: string;
  readonly mode: 'refuse' | 'down';
  readonly times: number;
  /** `order_shipped`: cleared then; what it delayed must still follow. */
  readonly clears: 'at_the_end' | 'order_shipped';
}

export interface Outcome {
  readonly httpStatus: 201 | 202 | 402 | 409;
  /** The problem's code when the response is one. */
  readonly code: string | null;
  /** Null when no order may exist. */
  readonly status: OrderStatus | null;
  readonly cancelReason: CancelReason | null;
  readonly payment: PaymentStatus | null;
  readonly workflow: 'completed' | 'none';
  /** How often each effect happened, by the providers' ledgers. */
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
  readonly expected: Outcome;
}

const TWO_MUGS = { sku: 'mug-white', quantity: 2, paymentMethod: 'pm_card_visa' } as const;

const SHIPPED: Outcome = {
  httpStatus: 201,
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
    ...TWO_MUGS,
    name: 'shipped',
    story: 'Every provider responds.',
    fault: null,
    expected: SHIPPED,
  },
  {
    ...TWO_MUGS,
    name: 'declined',
    story: 'The card is declined: the response is a 402, and the stock is available again.',
    paymentMethod: 'pm_card_chargeDeclined',
    fault: null,
    expected: {
      ...REFUSED,
      httpStatus: 402,
      code: 'payment_declined',
      status: 'declined',
      payment: 'declined',
    },
  },
  {
    ...TWO_MUGS,
    name: 'confirmed',
    story: 'The bank asks the shopper to confirm: the response is a 202, and nothing is started.',
    paymentMethod: 'pm_card_authenticationRequired',
    fault: null,
    expected: { ...SHIPPED, httpStatus: 202, code: 'payment_action_required' },
  },
  {
    ...TWO_MUGS,
    name: 'sold out',
    story: 'There is no stock: no order is created and no payment is requested.',
    sku: 'sold-out',
    quantity: 1,
    fault: null,
    expected: { ...REFUSED, httpStatus: 409, code: 'out_of_stock' },
  },
  {
    ...TWO_MUGS,
    name: 'not reserved',
    story: 'The warehouse cannot reserve the goods: the authorization is voided.',
    fault: { place: 'warehouse/reserve', mode: 'refuse', times: 1, clears: 'at_the_end' },
    expected: {
      ...SHIPPED,
      status: 'cancelled',
      cancelReason: 'warehouse_refused',
      payment: 'voided',
      effects: { authorize: 1, void: 1 },
      mails: ['cancelled'],
    },
  },
  {
    ...TWO_MUGS,
    name: 'not shipped',
    story: 'Shipping is refused after the capture: the payment is refunded, the stock released.',
    sku: 'tee-black-m',
    fault: { place: 'warehouse/ship', mode: 'refuse', times: 1, clears: 'at_the_end' },
    expected: {
      ...SHIPPED,
      status: 'cancelled',
      cancelReason: 'shipping_refused',
      payment: 'refunded',
      effects: { authorize: 1, reserve: 1, capture: 1, refund: 1, release: 1 },
      mails: ['confirmed', 'cancelled'],
    },
  },
  {
    ...TWO_MUGS,
    name: 'mail down',
    story: 'The mail server is down: the order ships anyway, and the e-mails are sent later.',
    sku: 'tee-black-m',
    fault: { place: 'mail/send', mode: 'down', times: 4, clears: 'order_shipped' },
    expected: SHIPPED,
  },
];
