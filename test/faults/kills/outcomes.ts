/** Waits for the outcomes of a stack's orders, with time for a killed process to be replaced. */
import { expect } from 'vitest';
import { z } from 'zod';
import { storedKey } from '../../../api/http/idempotency-key.ts';
import type { OrderId } from '../../../domain/ids.ts';
import type { OrderStatus } from '../../../domain/order.ts';
import { eventually } from '../../support/eventually.ts';
import { notificationsOf } from '../../support/expectations.ts';
import { passDeadline } from '../../support/orders.ts';
import { parseOrderId, type OrderRequest } from './client.ts';
import type { TestStack } from './test-stack.ts';

/** Two workflow tasks of a dead worker time out, on a busy machine. */
export const SETTLED_WITHIN_MS = 120_000;

export const SOON = { timeoutMs: SETTLED_WITHIN_MS, everyMs: 100 };

/** Places an order until it is settled; a repetition gets the same response byte for byte. */
export async function placeUntilSettled(stack: TestStack, request: OrderRequest): Promise<OrderId> {
  const first = await stack.client.place(request);
  const orderId = first.status === 201 ? parseOrderId(first) : await orderOfKey(stack, request.key);
  expect(await stack.client.place(request)).toEqual(first);
  return orderId;
}

export async function untilStatus(
  stack: TestStack,
  orderId: OrderId,
  status: OrderStatus,
): Promise<void> {
  await eventually(async () => {
    const order = await stack.db.order.findUniqueOrThrow({ where: { id: orderId } });
    expect(order.status).toBe(status);
  }, SOON);
}

export async function untilEvent(stack: TestStack, orderId: OrderId, type: string): Promise<void> {
  const where = { orderId, type };
  await eventually(async () => expect(await stack.db.event.count({ where })).toBe(1), SOON);
}

export function notificationsTo(stack: TestStack, orderId: OrderId): string[] {
  return notificationsOf(stack, orderId).toSorted();
}

export async function expectNothingHeld(stack: TestStack, orderId: OrderId): Promise<void> {
  const reservations = await stack.db.reservation.findMany({ where: { orderId } });
  expect(reservations.map(({ status }) => status)).toEqual(['released']);
}

async function orderOfKey(stack: TestStack, key: string): Promise<OrderId> {
  const { orderId } = await stack.db.idempotencyKey.findFirstOrThrow({
    where: { key: storedKey(key) },
  });
  return parseOrderId({ status: 0, text: JSON.stringify({ id: orderId }) });
}

/** Moves the order past its deadline, as if its shopper had been gone for an hour. */
export async function passOrderDeadline(stack: TestStack, { key }: OrderRequest): Promise<OrderId> {
  const orderId = await eventually(() => orderOfKey(stack, key), SOON);
  await passDeadline(stack.db, orderId);
  return orderId;
}

/** Redrives the order's open dead letters, as an operator does, until `done` passes. */
export async function redriveUntil(stack: TestStack, orderId: OrderId, done: () => Promise<void>) {
  const deadLetters = z.object({ data: z.array(z.object({ id: z.string() })) });
  await eventually(
    async () => {
      try {
        await done();
      } catch (error) {
        const listed = await stack.client.get(`/v1/dead-letters?order_id=${orderId}&status=open`);
        for (const { id } of deadLetters.parse(JSON.parse(listed.text)).data) {
          await stack.client.operateOnce(`/v1/dead-letters/${id}/redrive`, { note: 'once more' });
        }
        throw error;
      }
    },
    { timeoutMs: SETTLED_WITHIN_MS, everyMs: 500 },
  );
}
