import { expect, test } from 'vitest';
import { z } from 'zod';
import type { CheckoutClient } from '../../temporal/checkout-client.ts';
import { redrive } from '../../services/redrive.ts';
import type { OrderId } from '../../domain/ids.ts';
import { countAttempt } from '../../prisma/orders/step-attempts.ts';
import { listDeadLetters } from '../../prisma/events/dead-letters.ts';
import { recordReserved } from '../../prisma/orders/record-steps.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { recordResolved } from '../../prisma/payments/step-decisions.ts';
import type { Resume } from '../../domain/attention.ts';
import { eventually } from '../support/eventually.ts';
import { useShop } from '../support/shop.ts';
import { placedOrder } from '../support/orders.ts';

const shop = useShop();

const FAILURE = 'capture: no answer from the payment provider in time';
const CAPTURE = {
  step: 'capturePayment',
  failure: FAILURE,
  isOutage: true,
  next: { kind: 'after', ms: 1_000 },
} as const;
const view = z.looseObject({ attention: z.looseObject({ since: z.string() }).nullable() });

test('an operator sees the waiting step of an order with its attempts and decisions, and a storefront does not', async () => {
  const orderId = await parked();
  // A part that times out is missing from a response.
  const shown = await eventually(async () => {
    const whole = view.parse(await (await show(orderId, 'operator')).json());
    expect(whole.attention).not.toBeNull();
    return whole;
  });
  const [deadLetter] = await deadLettersOf(orderId);
  expect(shown.attention).toMatchObject({
    steps: [
      {
        step: 'capturePayment',
        attempts: 3,
        last_failure: FAILURE,
        dead_letter_id: deadLetter?.id,
        decisions: [{ action: 'retry' }, { action: 'skip' }, { action: 'cancel' }],
      },
    ],
  });
  expect(deadLetter?.retryCount).toBe(3);
  const storefront = view.parse(await (await show(orderId, 'storefront')).json());
  expect([storefront.attention, storefront['attention_step']]).toEqual([null, null]);
  const listed: unknown = await (
    await shop.request('GET', '/v1/orders?status=needs_attention', { role: 'operator' })
  ).json();
  expect(listed).toMatchObject({ data: [{ id: orderId, attention_step: 'capturePayment' }] });
});

test('a dead letter counts all attempts until a decision, and counting restarts after it', async () => {
  const orderId = await parked();
  await recordNeedsAttentionAgain(orderId);
  expect((await deadLettersOf(orderId))[0]).toMatchObject({ retryCount: 3, status: 'open' });
  await decideToRetry(orderId);
  await countAttempt(shop.db, { orderId, ...CAPTURE });
  await recordNeedsAttentionAgain(orderId);
  const deadLetters = await deadLettersOf(orderId);
  expect(deadLetters.map(({ status, retryCount }) => [status, retryCount])).toEqual([
    ['open', 1],
    ['resolved', 3],
  ]);
});

test.each([
  { action: 'retry', resumed: { from: 'reserved', cancelReason: null } },
  { action: 'skip', resumed: { from: 'reserved', cancelReason: null } },
  { action: 'cancel', resumed: { from: 'reserved', cancelReason: 'requested_by_operator' } },
] as const)(
  'a decision to $action an order whose workflow is gone resumes the order with that decision',
  async ({ action, resumed }) => {
    const orderId = await parked();
    const [deadLetter] = await deadLettersOf(orderId);
    const { seen, checkouts } = goneCheckouts();
    const request = { action, note: 'looked into it', by: OPERATOR };
    const outcome = await redrive({ ...shop.services, checkouts }, deadLetter?.id ?? '', request);
    expect(outcome.kind).toBe('redriven');
    expect(seen).toMatchObject([
      { ...resumed, resolution: { step: 'capturePayment', decision: action } },
    ]);
  },
);

test('a decision on a step that no longer waits is refused, resumes nothing, and leaves the dead letter open', async () => {
  const orderId = await parked();
  const [deadLetter] = await deadLettersOf(orderId);
  await shop.db.order.update({
    where: { id: orderId },
    data: { status: 'reserved', attentionStep: null },
  });
  const { seen, checkouts } = goneCheckouts();
  const request = { action: 'retry', note: null, by: OPERATOR } as const;
  const outcome = await redrive({ ...shop.services, checkouts }, deadLetter?.id ?? '', request);
  expect(outcome.kind).toBe('not_waiting');
  expect(seen).toEqual([]);
  expect((await deadLettersOf(orderId))[0]?.status).toBe('open');
});

const OPERATOR = { apiKeyId: 'key_1', correlationId: 'test', name: 'operator' };

/** An order whose capture was tried three times and waits for a person. */
async function parked(): Promise<OrderId> {
  const id = await placedOrder(shop);
  await recordReserved(shop.db, id);
  for (const _ of [1, 2, 3]) await countAttempt(shop.db, { orderId: id, ...CAPTURE });
  await recordNeedsAttention(shop.db, id, { steps: [CAPTURE.step], failure: FAILURE });
  return id;
}

async function recordNeedsAttentionAgain(orderId: OrderId): Promise<void> {
  await shop.db.order.update({
    where: { id: orderId },
    data: { status: 'reserved', attentionStep: null },
  });
  await recordNeedsAttention(shop.db, orderId, { steps: [CAPTURE.step], failure: FAILURE });
}

async function decideToRetry(orderId: OrderId): Promise<void> {
  const decided = { step: CAPTURE.step, decision: 'retry', note: 'note', actor: 'op' };
  await recordResolved(shop.db, orderId, { ...decided, resumes: 'reserved' });
}

function goneCheckouts(): { readonly seen: Resume[]; readonly checkouts: CheckoutClient } {
  const seen: Resume[] = [];
  const checkouts: CheckoutClient = {
    ...shop.services.checkouts,
    resolve: async () => ({ kind: 'not_running' }),
    async resume(_order, resume) {
      seen.push(resume);
      return { kind: 'resumed' };
    },
  };
  return { seen, checkouts };
}

async function deadLettersOf(orderId: OrderId) {
  const { deadLetters } = await listDeadLetters(shop.db, { orderId }, { limit: 10 });
  return deadLetters;
}

function show(orderId: OrderId, role: 'operator' | 'storefront'): Promise<Response> {
  return shop.request('GET', `/v1/orders/${orderId}`, { role });
}
