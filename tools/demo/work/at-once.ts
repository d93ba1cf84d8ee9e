/** What a shopper waits for: each call is answered in the time that a person waits. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import {
  arm,
  ask,
  clearFaults,
  effects,
  follow,
  isFromCache,
  place,
  placed,
  read,
  type PatternDemo,
  type Stage,
} from '../stage.ts';

const emailOf = (stage: Stage): string => `demo-${stage.run}-work@example.com`;
const quoteSchema = z.object({ problems: z.array(z.object({ pointer: z.string() })) });
const idSchema = z.object({ id: z.string() });
const balanceSchema = z.object({ balances: z.array(z.object({ amount_minor: z.number() })) });

export const formInput: PatternDemo = {
  story: 'Asked at once: all that is wrong with a cart, is the e-mail free, what credit is left.',
  async show(stage) {
    const email = emailOf(stage);
    const cart = {
      customer: { email: 'ada at example.com', name: 'Ada Lovelace' },
      lines: [
        { sku: 'mug-white', quantity: 2 },
        { sku: 'sold-out', quantity: 1 },
      ],
      currency: 'EUR',
    };
    const quote = await ask(stage, { method: 'POST', path: '/v1/quotes', body: cart }, 200);
    const wrong = quoteSchema.parse(quote.body).problems.map(({ pointer }) => pointer);
    stage.check('what is wrong', wrong.toSorted(), ['#/customer/email', '#/lines/1/quantity']);
    const path = `/v1/customers/availability?email=${encodeURIComponent(email)}`;
    await ask(stage, { path }, 200);
    const body = { email, name: 'Ada Lovelace' };
    const registered = await ask(stage, { method: 'POST', path: '/v1/customers', body }, 201);
    const customer = `/v1/customers/${idSchema.parse(registered.body).id}`;
    const gift = { amount_minor: 500, currency: 'EUR', reason: 'a gift' };
    const grant = { method: 'POST', path: `${customer}/credit`, role: 'operator' } as const;
    await ask(stage, { ...grant, body: gift }, 201);
    const balance = await ask(stage, { path: `${customer}/balance` }, 200);
    const [credit] = balanceSchema.parse(balance.body).balances;
    stage.check('credit', credit?.amount_minor, 500);
  },
};

export const catalog: PatternDemo = {
  story: 'Served from memory, and not even sent when the browser has it.',
  async show(stage) {
    const path = '/v1/products/mug-white';
    await ask(stage, { path }, 200);
    const { headers } = await ask(stage, { path }, 200);
    stage.check('served from memory', isFromCache(headers), true);
    const etag = headers.get('etag') ?? '';
    await ask(stage, { path, headers: { 'if-none-match': etag } }, 304);
  },
};

export const hold: PatternDemo = {
  story: 'One statement holds every line, or refuses with what is there; nothing else is begun.',
  async show(stage) {
    const lines = [{ sku: 'sold-out', quantity: 1 }];
    const { status, code, id } = await place(stage, { lines });
    stage.check('refused', [status, code], [409, 'out_of_stock']);
    stage.check('effects at the providers', await effects(stage, id), {});
  },
};

export const authorization: PatternDemo = {
  story:
    'A deadline of 2 s; without an answer 503, and the same key goes on. Declined is an answer.',
  async show(stage) {
    const declined = await place(stage, { payment_method: 'pm_card_chargeDeclined' });
    stage.check('declined', [declined.status, declined.code], [402, 'payment_declined']);
    await arm(stage, { 'payments/authorize': { mode: 'hang', times: 1 } });
    const key = `demo-${stage.run}-unknown`;
    const unknown = await place(stage, { key });
    stage.check('answered all the same', unknown.status, 503);
    await clearFaults(stage);
    const { id } = await place(stage, { key });
    stage.check('authorized once', (await effects(stage, id))['authorize'], 1);
  },
};

const timelineSchema = z.object({ data: z.array(z.object({ type: z.string() })) });

export const record: PatternDemo = {
  story: 'Order, payment, event and answer are one transaction: a repeat gets the same bytes.',
  async show(stage) {
    const key = `demo-${stage.run}-record`;
    const first = await place(stage, { key });
    const again = await place(stage, { key });
    const isSame = isDeepStrictEqual(again.result.body, first.result.body);
    stage.check('the same answer', isSame, true);
    const { data } = await read(stage, `/v1/orders/${first.id}/timeline`, timelineSchema);
    const events = data.map(({ type }) => type).slice(0, 2);
    stage.check('events written with it', events, ['order.created', 'order.placed']);
  },
};

const viewSchema = z.object({ warnings: z.array(z.unknown()) });

const PAGES = 5;
/** Below the deadline of the tracking. */
const LATENCY_MS = 500;

export const reads: PatternDemo = {
  story:
    'Five pages each wait for a slow warehouse, side by side: the slowest counts, not the sum.',
  async show(stage) {
    const id = await placed(stage);
    await follow(stage, id, 'shipped');
    await arm(stage, { 'warehouse/lookup': { mode: 'latency', latency_ms: LATENCY_MS } });
    const since = performance.now();
    const asked = Array.from({ length: PAGES }, () =>
      ask(stage, { path: `/v1/orders/${id}` }, 200),
    );
    const views = await Promise.all(asked);
    const tookMs = performance.now() - since;
    const missing = views.flatMap(({ body }) => viewSchema.parse(body).warnings);
    stage.check('parts missing', missing, []);
    stage.check('they waited for the warehouse', tookMs >= LATENCY_MS, true);
    stage.check('they waited side by side', tookMs < PAGES * LATENCY_MS, true);
    await clearFaults(stage);
  },
};
