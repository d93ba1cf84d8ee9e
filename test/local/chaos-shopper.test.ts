/** The shopper's client of a chaos run: what it asks again, and what it takes for an answer. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { bodyOf, planOrder } from '../../local/chaos/order-plan.ts';
import { shop } from '../../local/chaos/shopper.ts';
import type { Purchase } from '../../local/chaos/shopper.ts';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0)) await undo();
});

type Answer = readonly [number, object] | 'cut';

interface Shopped {
  readonly purchase: Purchase;
  /** Path, key and body of each request, in order. */
  readonly asked: readonly string[];
}

/** Shops at a server that gives these answers, the last one for ever. */
async function shopAt(
  answers: readonly Answer[],
  cancelAfterMs: number | null = null,
): Promise<Shopped> {
  const asked: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const next = answers[Math.min(asked.length, answers.length - 1)] ?? 'cut';
    asked.push(`${request.url} ${String(request.headers['idempotency-key'])} ${body}`);
    if (next === 'cut') request.socket.destroy();
    else response.writeHead(next[0]).end(JSON.stringify(next[1]));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const deps = {
    api: `http://127.0.0.1:${address.port}`,
    signal: new AbortController().signal,
    count: () => undefined,
  };
  const purchase = await shop(deps, { ...planOrder(1, 1), cancelAfterMs });
  return { purchase, asked };
}

const PLACED = [201, { id: 'ord_a' }] as const;
const FIRST = `/v1/orders chaos-1-1 ${bodyOf(planOrder(1, 1))}`;

test('a shopper retries a lost connection, a 503 and a key in flight with the same key and body', async () => {
  const { purchase, asked } = await shopAt([
    'cut',
    [503, { code: 'overloaded' }],
    [409, { code: 'request_in_flight' }],
    PLACED,
  ]);
  expect(purchase).toMatchObject({ outcome: 'accepted', orderId: 'ord_a', tries: 4 });
  expect(asked).toEqual([FIRST, FIRST, FIRST, FIRST]);
});

test.each([
  ['declined', 402, 'payment_declined'],
  ['refused', 409, 'out_of_stock'],
  ['refused', 409, 'order_expired'],
  ['refused', 422, 'invalid_request'],
])('a purchase is %s without a retry after a %i %s', async (outcome, status, code) => {
  const { purchase, asked } = await shopAt([[status, { code }]]);
  expect(purchase).toMatchObject({ outcome, code, orderId: null, tries: 1 });
  expect(asked).toHaveLength(1);
});

test('a cancel is sent with an idempotency key of its own', async () => {
  const { purchase, asked } = await shopAt([PLACED, [202, {}]], 0);
  expect(purchase.cancel).toBe('accepted');
  expect(asked).toEqual([FIRST, '/v1/orders/ord_a/cancel chaos-1-1-cancel ']);
});

test('a cancel that is not allowed is recorded as refused', async () => {
  const { purchase } = await shopAt([PLACED, [409, { code: 'not_cancellable' }]], 0);
  expect(purchase.cancel).toBe('refused');
});
