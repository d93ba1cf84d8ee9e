import { beforeAll, expect, test } from 'vitest';
import { orderViewSchema, timelineSchema } from '../../api/schemas/orders.ts';
import { EVENT_TYPES } from '../../domain/order.ts';
import { placedOrder } from '../support/orders.ts';
import { useShop } from '../support/shop.ts';
import { readStream } from './event-stream.ts';

const shop = useShop();

/** About what an operator sees as `cases`, `trouble` and reconciliations. */
const HIDDEN: readonly string[] = [
  'payment.disputed',
  'payment.dispute_closed',
  'payment.fraud_warning',
  'payment.review_opened',
  'payment.review_closed',
  'order.shipment_held',
  'order.discrepancy_found',
  'order.discrepancy_resolved',
];
/** What operators' events say, and no shopper may learn. */
const FOR_OPERATORS = {
  steps: ['shipOrder'],
  failure: 'the shipment is held for a dispute',
  note: 'the customer was called',
  actor: 'key_local_operator',
  case_id: 'dp_1',
  failure_code: 'lost_or_stolen_card',
};

let path: string;
beforeAll(async () => {
  const id = await placedOrder(shop);
  path = `/v1/orders/${id}`;
  await shop.db.$executeRaw`
    INSERT INTO events (id, type, order_id, seq, correlation_id, data)
    SELECT gen_random_uuid(), type, ${id}, 2 + n, 'x', ${JSON.stringify(FOR_OPERATORS)}::jsonb
    FROM unnest(${[...EVENT_TYPES]}::text[]) WITH ORDINALITY AS each (type, n)`;
  await shop.db.order.update({ where: { id }, data: { version: 2 + EVENT_TYPES.length } });
});

const entries = timelineSchema.shape.data;
const reads = {
  'GET /v1/orders/{id}': async (role: 'storefront' | 'operator') => {
    const response = await shop.request('GET', path, { role });
    return orderViewSchema.parse(await response.json()).timeline;
  },
  'GET /v1/orders/{id}/timeline': async (role: 'storefront' | 'operator') => {
    const response = await shop.request('GET', `${path}/timeline`, { role });
    return timelineSchema.parse(await response.json()).data;
  },
  'the stream of it': async (role: 'storefront' | 'operator') => {
    const headers = { accept: 'text/event-stream' };
    const stream = readStream(await shop.request('GET', `${path}/timeline`, { role, headers }));
    // The last event is one that everybody sees.
    const frames = await stream.take(1);
    while (frames.at(-1)?.event !== EVENT_TYPES.at(-1)) frames.push(...(await stream.take(1)));
    await stream.leave();
    return entries.parse(frames.map(({ data }) => data));
  },
};

test.each(Object.entries(reads))(
  '%s gives a storefront key no event about cases, held shipments and discrepancies, and no data for operators',
  async (_, read) => {
    const seen = await read('storefront');
    const planted = seen.filter(({ seq }) => seq > 2);
    expect(planted.map(({ type }) => type)).toEqual(
      EVENT_TYPES.filter((type) => !HIDDEN.includes(type)),
    );
    expect(planted.map(({ type, seq }) => [type, seq])).toEqual(
      planted.map(({ type }) => [type, 3 + EVENT_TYPES.findIndex((each) => each === type)]),
    );
    expect(planted.map(({ data }) => data)).toEqual(planted.map(() => ({})));
    expect(seen[1]?.data).toEqual({ total_minor: 1_200, credit_minor: 0, currency: 'EUR' });
  },
);

test.each(Object.entries(reads))(
  '%s gives an operator key every event as it was written',
  async (_, read) => {
    const planted = (await read('operator')).filter(({ seq }) => seq > 2);
    expect(planted.map(({ type }) => type)).toEqual([...EVENT_TYPES]);
    expect(planted.map(({ data }) => data)).toEqual(planted.map(() => FOR_OPERATORS));
  },
);

test('a page of a timeline that begins after a hidden event goes on with the next visible one', async () => {
  const hidden = 3 + EVENT_TYPES.indexOf('order.shipment_held');
  const response = await shop.request('GET', `${path}/timeline?after=${hidden}`);
  const { data, has_more: hasMore } = timelineSchema.parse(await response.json());
  expect([data.map(({ type }) => type), hasMore]).toEqual([['order.erased'], false]);
});
