/** Patterns of a single request: idempotency, cache, parallel reads. */
import { z } from 'zod';
import { row } from '../paint.ts';
import {
  afterwards,
  announce,
  arm,
  clearFaults,
  effects,
  follow,
  isFromCache,
  place,
  placed,
  read,
  request,
  SHIPPED_ONCE,
  type PatternDemo,
  type Stage,
} from '../stage.ts';

export const idempotency: PatternDemo = {
  story: 'Five copies of one request, a lost authorization, a lost capture: one order, paid once.',
  async show(stage) {
    await arm(stage, {
      'payments/authorize': { mode: 'answer_lost', times: 1 },
      'payments/capture': { mode: 'answer_lost', times: 1 },
    });
    const key = `demo-${stage.run}-idempotency`;
    announce(stage, 'one request, sent five times at once under one Idempotency-Key');
    const copies = await Promise.all(Array.from({ length: 5 }, () => place(stage, { key })));
    const ids = new Set(copies.flatMap(({ id }) => id ?? []));
    stage.check('orders created', ids.size, 1);
    const [id = null] = ids;
    if (id === null) return;
    const refused = copies.filter(({ status }) => status !== 201);
    const isInFlight = refused.every(({ code }) => code === 'request_in_flight');
    stage.check('the others are answered that it is running', isInFlight, true);
    announce(stage, 'the same request once more');
    const { result } = await place(stage, { key });
    stage.check('Idempotent-Replayed', result.headers.get('idempotent-replayed'), 'true');
    announce(stage, 'another request under the same key');
    const other = await place(stage, { key, lines: [{ sku: 'mug-white', quantity: 3 }] });
    stage.check('refused', other.code, 'idempotency_key_reused');
    await follow(stage, id, 'shipped');
    stage.check('effects at the providers', await effects(stage, id), SHIPPED_ONCE);
  },
};

const productSchema = z.object({
  name: z.string(),
  description: z.string().nullable(),
  price_minor: z.number(),
  currency: z.string(),
});

export const cache: PatternDemo = {
  story:
    'A price changes while every reader has the old one: read anew at once, and never charged.',
  async show(stage) {
    const path = '/v1/products/poster-a2';
    const { price_minor: before, ...product } = await read(stage, path, productSchema);
    const after = before + 100;
    const setPrice = async (priceMinor: number): Promise<void> => {
      const body = { ...product, price_minor: priceMinor };
      await request(afterwards(stage), { path, method: 'PUT', role: 'admin', body });
      announce(stage, `PUT ${path} price_minor ${priceMinor}`);
    };
    try {
      await readPrice(stage, path);
      const { price, fromCache } = await readPrice(stage, path);
      stage.check('read from the cache', [price, fromCache], [before, true]);
      await setPrice(after);
      stage.check('read after the change', (await readPrice(stage, path)).price, after);
      announce(stage, 'an order by a shopper who still sees the old price');
      const lines = [{ sku: 'poster-a2', quantity: 1 }];
      const order = await place(stage, { lines, expected_total_minor: before });
      stage.check('refused, nothing is charged', order.code, 'price_changed');
    } finally {
      await setPrice(before);
    }
    stage.check('read after the change back', (await readPrice(stage, path)).price, before);
  },
};

async function readPrice(stage: Stage, path: string) {
  const { tookMs, status, headers, body } = await request(stage, { path, role: 'storefront' });
  const { price_minor: price } = productSchema.parse(body);
  stage.say(row(tookMs, `GET ${path}: ${status} price_minor ${price}`));
  return { price, fromCache: isFromCache(headers) };
}

const viewSchema = z.object({
  status: z.string(),
  timeline: z.array(z.unknown()),
  shipment: z.object({ tracking: z.unknown() }).nullable(),
  warnings: z.array(z.object({ part: z.string() })),
});
/** The deadline of the tracking, and what the rest of the page takes on a busy machine. */
const MOST_MS = 3_000;

export const parallelReads: PatternDemo = {
  story:
    'The warehouse hangs while an order is read: the page comes in time, without its tracking.',
  async show(stage) {
    const id = await placed(stage);
    await follow(stage, id, 'shipped');
    const whole = await view(stage, id);
    stage.check('warnings', whole.warnings, []);
    await arm(stage, { 'warehouse/lookup': { mode: 'hang' } });
    const partial = await view(stage, id);
    stage.check('answered in time', partial.tookMs < MOST_MS, true);
    stage.check('what is missing', partial.warnings, [{ part: 'tracking' }]);
    const isWhole = partial.timeline.length >= whole.timeline.length;
    stage.check('the rest of the page is there', isWhole, true);
    await clearFaults(stage);
    stage.check('warnings', (await view(stage, id)).warnings, []);
  },
};

async function view(stage: Stage, id: string) {
  const { tookMs, status, body } = await request(stage, {
    path: `/v1/orders/${id}`,
    role: 'storefront',
  });
  stage.say(row(tookMs, `GET /v1/orders/${id}: ${status}`));
  return { tookMs, ...viewSchema.parse(body) };
}
