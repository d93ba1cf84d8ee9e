/** Concurrent shoppers that keep buying during faults, and what must be true of their orders. */
import { expect } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { expectShipped } from '../../support/expectations.ts';
import { newRequest, parseOrderId, type ApiResponse, type OrderRequest } from './client.ts';
import type { TestStack } from './test-stack.ts';
import { untilStatus } from './outcomes.ts';
import { expectDelivered, expectEventuallyConsistent } from './consistent.ts';

/** A key whose request died stays leased for seconds; one shopper is always free for the next order. */
const SHOPPERS = 4;
const RECOVERED_WITHIN = { timeoutMs: 60_000, everyMs: 50 };
const FAULT_LASTS = { timeoutMs: 300_000, everyMs: 20 };
const CONCURRENT_CHECKS = 8;

export interface Accepted {
  readonly request: OrderRequest;
  readonly response: ApiResponse;
}

export interface Shoppers {
  readonly accepted: readonly Accepted[];
  /** Waits until this many more orders are accepted. */
  untilMore(orders: number): Promise<void>;
  /**
   * Stops, and checks that every request was accepted, and that each accepted order still has its
   * response, shipped, was charged once and is consistent with all records.
   */
  expectAllKept(): Promise<void>;
}

/**
 * Each places one order after the other, each under its key until it is settled. They are never far
 * ahead of what a test waits for, because each order is checked afterwards.
 */
export function startShoppers(stack: TestStack): Shoppers {
  const accepted: Accepted[] = [];
  let stopping = false;
  let [begun, wanted] = [0, 0];
  const mayContinue = (): void => {
    if (!stopping && begun >= wanted + SHOPPERS) throw new Error('no test waits for more orders');
  };
  const shop = async (): Promise<void> => {
    for (;;) {
      await eventually(mayContinue, FAULT_LASTS);
      if (stopping) return;
      begun += 1;
      const request = newRequest({ quantity: 1 });
      const response = await stack.client.place(request);
      expect(response.status, response.text).toBe(201);
      accepted.push({ request, response });
    }
  };
  const shopping = Promise.all(Array.from({ length: SHOPPERS }, shop));
  // A failure is reported where the shoppers are stopped.
  shopping.catch(() => undefined);
  return {
    accepted,
    async untilMore(orders) {
      wanted = accepted.length + orders;
      await eventually(
        () => expect(accepted.length).toBeGreaterThanOrEqual(wanted),
        RECOVERED_WITHIN,
      );
    },
    async expectAllKept() {
      stopping = true;
      await shopping;
      await expectKept(stack, accepted);
      await expectEventuallyConsistent(stack);
    },
  };
}

/** Each still has its response, ships, and was charged once. */
async function expectKept(stack: TestStack, accepted: readonly Accepted[]): Promise<void> {
  const left = [...accepted];
  const check = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const orderId = parseOrderId(next.response);
      expect(await stack.client.place(next.request)).toEqual(next.response);
      await untilStatus(stack, orderId, 'shipped');
      await eventually(() => expectShipped(stack, orderId), RECOVERED_WITHIN);
      await expectDelivered(stack, orderId);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_CHECKS }, check));
}

/** Without its database the API refuses an order with 503 and is not ready. */
export async function expectRefused(stack: TestStack): Promise<void> {
  const response = await stack.client.tryOnce(newRequest());
  expect(response?.status, response?.text).toBe(503);
  await expectReady(stack, false);
}

/** Waits until /readyz says so. */
export async function expectReady({ app }: TestStack, wanted: boolean): Promise<void> {
  await eventually(async () => {
    const response = await fetch(`${app.url}/readyz`, { signal: AbortSignal.timeout(5_000) });
    await response.body?.cancel();
    expect(response.status).toBe(wanted ? 200 : 503);
  }, RECOVERED_WITHIN);
}
