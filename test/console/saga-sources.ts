/** Orders as the saga's picture is drawn from them. */
import { sagaOf, type SagaSource, type SagaStep } from '../../api/console/saga.ts';
import type { EventType } from '../../domain/order.ts';

type Entry = EventType | readonly [EventType, Readonly<Record<string, unknown>>];

export const CREATED = Date.parse('2026-01-01T00:00:00.000Z');

/** An order with these events, ten ms apart, the first at its creation. */
export function order(entries: readonly Entry[], changes: Partial<SagaSource> = {}): SagaSource {
  return {
    status: 'placed',
    created_at: new Date(CREATED).toISOString(),
    cancel_reason: null,
    timeline: entries.map((entry, at) => {
      const [type, data] = typeof entry === 'string' ? [entry, {}] : entry;
      const time = new Date(CREATED + at * 10).toISOString();
      return { id: String(at), type, seq: at + 1, time, data, correlation_id: 'c' };
    }),
    attention: null,
    trouble: [],
    payment: null,
    shipment: null,
    ...changes,
  };
}

export const TO_PAID = ['order.created', 'order.placed', 'order.reserved', 'order.paid'] as const;
export const CONFIRMED = ['order.customer_notified', { notification: 'confirmed' }] as const;
export const SHIPPED = [
  ...TO_PAID,
  CONFIRMED,
  'order.shipment_requested',
  'order.shipped',
] as const;
export const MAILED = ['order.customer_notified', { notification: 'shipped' }] as const;

/** The states of the steps; after a slash that of the compensation. */
export function statesOf(source: SagaSource): readonly string[] {
  return sagaOf(source).map(({ state, compensation }) =>
    compensation === null ? state : `${state}/${compensation.state}`,
  );
}

export function stepOf(source: SagaSource, label: string): SagaStep | undefined {
  return sagaOf(source).find((step) => step.label === label);
}

export const asked = (step: string) => ({
  since: new Date(CREATED).toISOString(),
  steps: [
    {
      step,
      attempts: 3,
      first_failed_at: new Date(CREATED).toISOString(),
      last_failed_at: new Date(CREATED).toISOString(),
      last_failure: 'refused (insufficient_funds)',
      dead_letter_id: 'dl_1',
      decisions: [],
    },
  ],
});
export const retried = (step: string) => [
  {
    step,
    attempts: 4,
    first_failed_at: new Date(CREATED).toISOString(),
    last_failed_at: new Date(CREATED).toISOString(),
    last_failure: 'connection refused by the warehouse',
    next_attempt_at: new Date(CREATED + 5_000).toISOString(),
  },
];
