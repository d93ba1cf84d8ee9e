/** Order events for subscribers outside: CloudEvents 1.0, JSON format. */
import type { OrderEvent } from './order.ts';

/** Context attributes by the specification; `sequence`, `traceparent` and the causal ids are extensions. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  /** Per order, gap-free; padded, because the extension requires text that sorts. */
  readonly sequence: string;
  readonly correlationid: string;
  readonly causationid?: string;
  /** Distributed tracing extension: the trace of the request that placed the order. */
  readonly traceparent?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const SOURCE = '/v1/orders';
const SEQUENCE_DIGITS = 10;

/** `source` and `id` together are unique, and the same on every delivery. */
export function cloudEventOf(event: OrderEvent): CloudEvent {
  return {
    specversion: '1.0',
    id: event.id,
    source: SOURCE,
    type: event.type,
    subject: event.orderId,
    time: event.time,
    datacontenttype: 'application/json',
    sequence: String(event.seq).padStart(SEQUENCE_DIGITS, '0'),
    correlationid: event.correlationId,
    ...(event.causationId !== null && { causationid: event.causationId }),
    ...(event.traceparent !== null && { traceparent: event.traceparent }),
    data: event.data,
  };
}
