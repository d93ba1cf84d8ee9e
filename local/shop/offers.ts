/**
 * What a visitor can choose at the checkout: the payment provider's test cards, and trouble. Both are
 * carried out by the sandbox; a fault is armed just before the order is sent.
 */

/** A place where the sandbox fails on demand. */
export type Place =
  | {
      readonly provider: 'payments';
      readonly operation: 'authorize' | 'capture' | 'refund';
    }
  | { readonly provider: 'warehouse'; readonly operation: 'reserve' | 'ship' | 'callback' }
  | { readonly provider: 'mail' | 'sms'; readonly operation: 'send' };

export interface Fault {
  readonly mode: 'answer_lost' | 'down' | 'late' | 'latency' | 'refuse';
  /** How often one order meets it. */
  readonly times: number;
  readonly latency_ms?: number;
}

export interface ArmedAt {
  readonly place: Place;
  readonly fault: Fault;
}

export interface Card {
  readonly id: string;
  readonly name: string;
  /** Stripe's test payment method: https://docs.stripe.com/testing */
  readonly method: string;
  readonly effect: string;
  readonly faults: readonly ArmedAt[];
}

export interface Trouble {
  readonly id: string;
  readonly name: string;
  readonly effect: string;
  readonly faults: readonly ArmedAt[];
  /** The warehouse has one unit fewer than is ordered of the first product. */
  readonly isShort?: true;
}

const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;
const CAPTURE = { provider: 'payments', operation: 'capture' } as const;
const REFUND = { provider: 'payments', operation: 'refund' } as const;
const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
const CALLBACK = { provider: 'warehouse', operation: 'callback' } as const;
const SEND = { provider: 'mail', operation: 'send' } as const;
const SMS = { provider: 'sms', operation: 'send' } as const;

export const CARDS: readonly Card[] = [
  {
    id: 'accepted',
    name: 'Accepted',
    method: 'pm_card_visa',
    effect: 'The bank holds the money at once.',
    faults: [],
  },
  {
    id: 'declined',
    name: 'Declined',
    method: 'pm_card_chargeDeclined',
    effect: 'The bank says no. Nothing is charged, nothing stays reserved.',
    faults: [],
  },
  {
    id: 'insufficient-funds',
    name: 'Insufficient funds',
    method: 'pm_card_chargeDeclinedInsufficientFunds',
    effect: 'The bank says no, and why.',
    faults: [],
  },
  {
    id: 'challenged',
    name: 'Bank asks you to confirm',
    method: 'pm_card_authenticationRequired',
    effect: 'The units are held while you confirm on the bank’s page, or do not.',
    faults: [],
  },
  {
    id: 'challenged-declined',
    name: 'Confirmed, then declined',
    method: 'pm_card_authenticationRequiredChargeDeclinedInsufficientFunds',
    effect: 'You confirm, and the bank says no all the same.',
    faults: [],
  },
  {
    id: 'slow',
    name: 'Slow',
    method: 'pm_card_visa',
    effect: 'The bank takes a second and a half.',
    faults: [{ place: AUTHORIZE, fault: { mode: 'latency', times: 1, latency_ms: 1_500 } }],
  },
  {
    id: 'unknown-outcome',
    name: 'Unknown outcome',
    method: 'pm_card_visa',
    effect: 'The money is held, but the bank’s response is lost. It is looked up.',
    faults: [{ place: AUTHORIZE, fault: { mode: 'answer_lost', times: 1 } }],
  },
];

export const NO_TROUBLE = 'none';

export const TROUBLES: readonly Trouble[] = [
  { id: NO_TROUBLE, name: 'No trouble', effect: 'Everything works.', faults: [] },
  {
    id: 'warehouse-down',
    name: 'The warehouse is down',
    effect: 'Shipping fails three times, is retried and succeeds.',
    faults: [{ place: SHIP, fault: { mode: 'down', times: 3 } }],
  },
  {
    id: 'capture-lost',
    name: 'The response to the capture is lost',
    effect: 'It is looked up before anything is repeated: one capture, not two.',
    faults: [{ place: CAPTURE, fault: { mode: 'answer_lost', times: 1 } }],
  },
  {
    id: 'warehouse-refuses',
    name: 'The warehouse refuses to ship',
    effect: 'Compensation: the goods are released, the money is refunded.',
    faults: [{ place: SHIP, fault: { mode: 'refuse', times: 1 } }],
  },
  {
    id: 'goods-missing',
    name: 'The goods are missing in the warehouse',
    effect: 'Compensation before the money is taken: it is unblocked.',
    faults: [{ place: RESERVE, fault: { mode: 'refuse', times: 1 } }],
  },
  {
    id: 'goods-short',
    name: 'One unit is missing in the warehouse',
    effect: 'Order two and tick “send what is there”: less is sent, and less is paid.',
    faults: [],
    isShort: true,
  },
  {
    id: 'mail-down',
    name: 'The mail server is down',
    effect: 'The order ships all the same; the mail follows.',
    faults: [{ place: SEND, fault: { mode: 'down', times: 2 } }],
  },
  {
    id: 'sms-lost',
    name: 'The response to the SMS is lost',
    effect: 'It is looked up before it is sent again: one SMS, not two. Tick the box for SMS.',
    faults: [{ place: SMS, fault: { mode: 'answer_lost', times: 1 } }],
  },
  {
    id: 'warehouse-slow',
    name: 'The warehouse reports five seconds late',
    effect: 'The order waits for the callback; nothing blocks meanwhile.',
    faults: [{ place: CALLBACK, fault: { mode: 'late', times: 1, latency_ms: 5_000 } }],
  },
  {
    id: 'payments-down',
    name: 'The payment provider is down',
    effect: 'The shop asks you to press again, and you are not charged twice.',
    faults: [{ place: AUTHORIZE, fault: { mode: 'down', times: 1 } }],
  },
  {
    id: 'needs-a-person',
    name: 'It cannot be shipped, and not be refunded',
    effect: 'The order waits for a person, who decides in the console.',
    faults: [
      { place: SHIP, fault: { mode: 'refuse', times: 1 } },
      { place: REFUND, fault: { mode: 'refuse', times: 1 } },
    ],
  },
];
