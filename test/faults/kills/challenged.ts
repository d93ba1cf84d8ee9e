/**
 * Scenarios of one order whose bank asks the shopper to confirm the payment (3-D Secure): by whom the
 * shop hears of it, and what must be true then. The process may be killed anywhere in between.
 */
import { expect } from 'vitest';
import { LOCAL_SECRETS } from '../../../config/production.ts';
import type { OrderId } from '../../../domain/ids.ts';
import { CHALLENGED_CARD } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { effectsOf, expectShipped } from '../../support/expectations.ts';
import { settleChallenge } from '../../support/provider-messages.ts';
import { waitingIn, type Waiting } from '../settling.ts';
import { newRequest, parseOrderId, type ApiResponse, type OrderRequest } from './client.ts';
import { expectNothingHeld, passOrderDeadline, SOON, untilStatus } from './outcomes.ts';
import type { TestStack } from './test-stack.ts';

export const CHALLENGED = {
  challengedByClient,
  challengedByWebhook,
  challengedByBoth,
  challengeFailed,
  challengeAbandoned,
} as const;

interface Challenged extends Waiting {
  readonly request: OrderRequest;
}

/** The shop's page says that the shopper has confirmed. */
async function challengedByClient(stack: TestStack): Promise<OrderId> {
  const waiting = await placeAndWait(stack);
  await settleChallenge(stack, waiting.intentId, 'authenticated');
  return expectPlacedOnce(stack, waiting, await confirm(stack, waiting));
}

/** The shopper has closed the page: only the provider's webhook says it, twice. */
async function challengedByWebhook(stack: TestStack): Promise<OrderId> {
  return withWebhooks(stack, async () => {
    const waiting = await placeAndWait(stack);
    await settleChallenge(stack, waiting.intentId, 'authenticated');
    await untilStatus(stack, waiting.orderId, 'shipped');
    return expectPlacedOnce(stack, waiting, await confirm(stack, waiting));
  });
}

/** Both at once, the page even before the bank has decided. */
async function challengedByBoth(stack: TestStack): Promise<OrderId> {
  return withWebhooks(stack, async () => {
    const waiting = await placeAndWait(stack);
    const [confirmed] = await Promise.all([
      confirm(stack, waiting),
      confirm(stack, waiting),
      settleChallenge(stack, waiting.intentId, 'authenticated'),
    ]);
    return expectPlacedOnce(stack, waiting, confirmed);
  });
}

/** The shopper fails: declined, and nothing was ever charged. */
async function challengeFailed(stack: TestStack): Promise<OrderId> {
  const waiting = await placeAndWait(stack);
  await settleChallenge(stack, waiting.intentId, 'failed');
  const declined = await confirm(stack, waiting);
  expect([declined.status, declined.text]).toEqual([
    402,
    expect.stringContaining('payment_intent_authentication_failure'),
  ]);
  expect(await stack.client.place(waiting.request)).toEqual(declined);
  await expectEnded(stack, waiting, 'declined');
  return waiting.orderId;
}

/** No one confirms: expired, and a shopper who comes back later confirms nothing. */
async function challengeAbandoned(stack: TestStack): Promise<OrderId> {
  const waiting = await placeAndWait(stack);
  await passOrderDeadline(stack, waiting.request);
  await expectEnded(stack, waiting, 'expired');
  for (const late of [await confirm(stack, waiting), await stack.client.place(waiting.request)]) {
    expect([late.status, late.text]).toEqual([409, expect.stringContaining('order_expired')]);
  }
  await expect(settleChallenge(stack, waiting.intentId, 'authenticated')).rejects.toThrow(
    'canceled',
  );
  await expectEnded(stack, waiting, 'expired');
  return waiting.orderId;
}

/** Placed by a card whose bank asks; store credit pays a part, held meanwhile. */
async function placeAndWait(stack: TestStack): Promise<Challenged> {
  const request = newRequest({ card: CHALLENGED_CARD, creditMinor: 300 });
  const response = await stack.client.place(request);
  expect(response.status, response.text).toBe(202);
  return { request, ...waitingIn(response.text) };
}

/** POST /v1/orders/{id}/confirm, until the bank has decided. */
function confirm({ client }: TestStack, { orderId }: Waiting): Promise<ApiResponse> {
  return eventually(async () => {
    const response = await client.confirm(orderId);
    expect(response.status, response.text).not.toBe(202);
    return response;
  }, SOON);
}

/** Authorized, placed, captured and shipped once; the same key and a repeated confirm say so. */
async function expectPlacedOnce(
  stack: TestStack,
  { request, orderId }: Challenged,
  confirmed: ApiResponse,
): Promise<OrderId> {
  expect(confirmed.status, confirmed.text).toBe(200);
  expect(parseOrderId(confirmed)).toBe(orderId);
  const repeated = await stack.client.place(request);
  expect([repeated.status, repeated.text]).toEqual([201, confirmed.text]);
  await untilStatus(stack, orderId, 'shipped');
  await expectShipped(stack, orderId);
  return orderId;
}

async function expectEnded(
  stack: TestStack,
  { orderId }: Challenged,
  status: 'declined' | 'expired',
): Promise<void> {
  await untilStatus(stack, orderId, status);
  expect(effectsOf(stack, orderId)).toEqual({});
  await expectNothingHeld(stack, orderId);
}

/** The provider's webhooks reach this stack meanwhile, each twice. */
export async function withWebhooks<T>(stack: TestStack, work: () => Promise<T>): Promise<T> {
  const { sandbox, app } = stack;
  const url = `${app.url}/callbacks/payments`;
  sandbox.aimPaymentsWebhook({ url, secret: LOCAL_SECRETS.paymentsWebhook });
  sandbox.faults.set({ provider: 'payments', operation: 'webhook' }, { mode: 'duplicate' });
  try {
    return await work();
  } finally {
    sandbox.aimPaymentsWebhook(null);
  }
}
