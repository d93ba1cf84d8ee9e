/** A crowd that goes on buying whatever is killed, and what must be true of its orders afterwards. */
import { expect } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { expectShipped } from '../../support/expectations.ts';
import { newRequest, parseOrderId, type ApiResponse, type OrderRequest } from './client.ts';
import type { TestStack } from './test-stack.ts';
import { untilStatus } from './outcomes.ts';
import { expectDelivered } from './consistent.ts';

/** A key whose try died is held for seconds: one of them is always free to place the next order. */
const SHOPPERS = 4;
const BACK_WITHIN = { timeoutMs: 60_000, everyMs: 50 };
const HARM_LASTS = { timeoutMs: 300_000, everyMs: 20 };
const KEPT_AT_ONCE = 8;

export interface Accepted {
  readonly request: OrderRequest;
  readonly answer: ApiResponse;
}

export interface Shoppers {
  readonly accepted: readonly Accepted[];
  /** Waits until so many more orders than now were accepted. */
  untilMore(orders: number): Promise<void>;
  /** Resolves when what is under way is settled. Throws when an order was not accepted. */
  stop(): Promise<void>;
}

/**
 * Each places one order after the other, each under its key until it is settled. They are never many
 * ahead of what is waited for: each order is held to account afterwards.
 */
export function startShoppers(stack: TestStack): Shoppers {
  const accepted: Accepted[] = [];
  let stopping = false;
  let [begun, wanted] = [0, 0];
  const mayGoOn = (): void => {
    if (!stopping && begun >= wanted + SHOPPERS) throw new Error('nobody waits for more orders');
  };
  const shop = async (): Promise<void> => {
    for (;;) {
      await eventually(mayGoOn, HARM_LASTS);
      if (stopping) return;
      begun += 1;
      const request = newRequest({ quantity: 1 });
      const answer = await stack.client.place(request);
      expect(answer.status, answer.text).toBe(201);
      accepted.push({ request, answer });
    }
  };
  const shopping = Promise.all(Array.from({ length: SHOPPERS }, shop));
  // Its failure is seen where it is stopped.
  shopping.catch(() => undefined);
  return {
    accepted,
    async untilMore(orders) {
      wanted = accepted.length + orders;
      await eventually(() => expect(accepted.length).toBeGreaterThanOrEqual(wanted), BACK_WITHIN);
    },
    async stop() {
      stopping = true;
      await shopping;
    },
  };
}

/** Each still has its answer, ships, and was charged once. */
export async function expectKept(stack: TestStack, accepted: readonly Accepted[]): Promise<void> {
  const left = [...accepted];
  const check = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const orderId = parseOrderId(next.answer);
      expect(await stack.client.place(next.request)).toEqual(next.answer);
      await untilStatus(stack, orderId, 'shipped');
      await eventually(() => expectShipped(stack, orderId), BACK_WITHIN);
      await expectDelivered(stack, orderId);
    }
  };
  await Promise.all(Array.from({ length: KEPT_AT_ONCE }, check));
}

/** Without its database the API says so, and says so to whoever sends it requests. */
export async function expectRefused(stack: TestStack): Promise<void> {
  const answer = await stack.client.tryOnce(newRequest());
  expect(answer?.status, answer?.text).toBe(503);
  await expectReady(stack, false);
}

/** What whoever sends requests to the API is told by it, sooner or later. */
export async function expectReady({ app }: TestStack, wanted: boolean): Promise<void> {
  await eventually(async () => {
    const answer = await fetch(`${app.url}/readyz`, { signal: AbortSignal.timeout(5_000) });
    await answer.body?.cancel();
    expect(answer.status).toBe(wanted ? 200 : 503);
  }, BACK_WITHIN);
}
