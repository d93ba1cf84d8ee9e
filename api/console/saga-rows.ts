/**
 * The steps of an order as operators know them, with the events that say how they ended: what the API
 * does, then every step of domain/checkout-steps.ts in its order.
 */
import type { CompensationName, ForwardStep } from '../../domain/checkout-steps.ts';
import type { EventType } from '../../domain/order.ts';

export interface SagaRow {
  readonly label: string;
  /** Who carries it out. */
  readonly by: string;
  /** Null for what the API does before the checkout. */
  readonly step: ForwardStep | null;
  readonly done: EventType;
  /** The cancel reason that says the provider refused it. */
  readonly refusedAs: string | null;
  readonly compensation: {
    readonly label: string;
    readonly step: CompensationName;
    readonly done: EventType;
  };
}

export const SAGA_ROWS: readonly SagaRow[] = [
  {
    label: 'Hold units',
    by: 'our stock',
    step: null,
    done: 'order.created',
    refusedAs: null,
    compensation: { label: 'Release units', step: 'releaseStock', done: 'order.stock_released' },
  },
  {
    label: 'Authorize',
    by: 'payment provider',
    step: null,
    done: 'order.placed',
    refusedAs: null,
    compensation: { label: 'Void', step: 'voidOrRefundPayment', done: 'order.payment_voided' },
  },
  {
    label: 'Reserve',
    by: 'warehouse',
    step: 'reserveStock',
    done: 'order.reserved',
    refusedAs: 'warehouse_refused',
    compensation: { label: 'Release', step: 'releaseStock', done: 'order.stock_released' },
  },
  {
    label: 'Capture',
    by: 'payment provider',
    step: 'capturePayment',
    done: 'order.paid',
    refusedAs: 'payment_refused',
    compensation: { label: 'Refund', step: 'voidOrRefundPayment', done: 'order.payment_refunded' },
  },
  {
    label: 'Ship',
    by: 'warehouse',
    step: 'shipOrder',
    done: 'order.shipped',
    refusedAs: 'shipping_refused',
    compensation: {
      label: 'Cancel shipment',
      step: 'cancelShipment',
      done: 'order.shipment_cancelled',
    },
  },
];
