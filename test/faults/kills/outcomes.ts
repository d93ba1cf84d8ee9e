/** What becomes of a lane's orders, however long a process that died makes it take. */
import { expect } from 'vitest';
import { z } from 'zod';
import type { OrderId } from '../../../domain/ids.ts';
import type { OrderStatus } from '../../../domain/order.ts';
import { eventually } from '../../support/eventually.ts';
import { notificationsOf } from '../../support/expectations.ts';
import { parseOrderId, type OrderRequest } from './client.ts';
import type { TestStack } from './test-stack.ts';

/** Two workflow tasks of a dead worker time out, on a machine with other things to do. */
export const SETTLED_WITHIN_MS = 120_000;

export const SOON = { timeoutMs: SETTLED_WITHIN_MS, everyMs: 100 };

/** Placed or declined, and the same answer byte for byte as often as it is asked for. */
export async function placeUntilAccepted(
  stack: TestStack,
  request: OrderRequest,
): Promise<OrderId> {
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

export function told(stack: TestStack, orderId: OrderId): string[] {
  return notificationsOf(stack, orderId).toSorted();
}

export async function expectNothingHeld(stack: TestStack, orderId: OrderId): Promise<void> {
  const reservations = await stack.db.reservation.findMany({ where: { orderId } });
  expect(reservations.map(({ status }) => status)).toEqual(['released']);
}

async function orderOfKey(stack: TestStack, key: string): Promise<OrderId> {
  const { orderId } = await stack.db.idempotencyKey.findFirstOrThrow({ where: { key } });
  return parseOrderId({ status: 0, text: JSON.stringify({ id: orderId }) });
}

/** Moves the order's time back, as if its shopper had stayed away for an hour. */
export async function passDeadline(stack: TestStack, { key }: OrderRequest): Promise<OrderId> {
  const orderId = await eventually(() => orderOfKey(stack, key), SOON);
  const anHourAgo = new Date(Date.now() - 3_600_000);
  await stack.db.order.update({
    where: { id: orderId },
    data: { createdAt: anHourAgo, deadlineAt: anHourAgo },
  });
  return orderId;
}

/** An operator who looks again, and decides again when nothing moves. */
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
