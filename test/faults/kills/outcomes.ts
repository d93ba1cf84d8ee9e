/** What becomes of a lane's orders, however long a process that died makes it take. */
import { expect } from 'vitest';
import { z } from 'zod';
import type { OrderId } from '../../../domain/ids.ts';
import type { OrderStatus } from '../../../domain/order.ts';
import { eventually } from '../../support/eventually.ts';
import { noticesOf } from '../../support/expectations.ts';
import { parseOrderId, type OrderRequest } from './client.ts';
import type { Lane } from './shared-stack.ts';

/** Two workflow tasks of a dead worker time out, on a machine with other things to do. */
export const AT_REST_WITHIN_MS = 120_000;

export const SOON = { timeoutMs: AT_REST_WITHIN_MS, everyMs: 100 };

/** Placed or declined, and the same answer byte for byte as often as it is asked for. */
export async function placeUntilAccepted(lane: Lane, request: OrderRequest): Promise<OrderId> {
  const first = await lane.client.place(request);
  const orderId = first.status === 201 ? parseOrderId(first) : await orderOfKey(lane, request.key);
  expect(await lane.client.place(request)).toEqual(first);
  return orderId;
}

export async function rests(lane: Lane, orderId: OrderId, status: OrderStatus): Promise<void> {
  await eventually(async () => {
    const order = await lane.db.order.findUniqueOrThrow({ where: { id: orderId } });
    expect(order.status).toBe(status);
  }, SOON);
}

export async function hasHappened(lane: Lane, orderId: OrderId, type: string): Promise<void> {
  const where = { orderId, type };
  await eventually(async () => expect(await lane.db.event.count({ where })).toBe(1), SOON);
}

export function told(lane: Lane, orderId: OrderId): string[] {
  return noticesOf(lane, orderId).toSorted();
}

export async function nothingIsHeldFor(lane: Lane, orderId: OrderId): Promise<void> {
  const reservations = await lane.db.reservation.findMany({ where: { orderId } });
  expect(reservations.map(({ status }) => status)).toEqual(['released']);
}

async function orderOfKey(lane: Lane, key: string): Promise<OrderId> {
  const { orderId } = await lane.db.idempotencyKey.findFirstOrThrow({ where: { key } });
  return parseOrderId({ status: 0, text: JSON.stringify({ id: orderId }) });
}

/** Moves the order's time back, as if its shopper had stayed away for an hour. */
export async function pastItsDeadline(lane: Lane, { key }: OrderRequest): Promise<OrderId> {
  const orderId = await eventually(() => orderOfKey(lane, key), SOON);
  const anHourAgo = new Date(Date.now() - 3_600_000);
  await lane.db.order.update({
    where: { id: orderId },
    data: { createdAt: anHourAgo, deadlineAt: anHourAgo },
  });
  return orderId;
}

/** An operator who looks again, and decides again when nothing moves. */
export async function redriveUntil(lane: Lane, orderId: OrderId, done: () => Promise<void>) {
  const deadLetters = z.object({ data: z.array(z.object({ id: z.string() })) });
  await eventually(
    async () => {
      try {
        await done();
      } catch (error) {
        const listed = await lane.client.get(`/v1/dead-letters?order_id=${orderId}&status=open`);
        for (const { id } of deadLetters.parse(JSON.parse(listed.text)).data) {
          await lane.client.operateOnce(`/v1/dead-letters/${id}/redrive`, { note: 'once more' });
        }
        throw error;
      }
    },
    { timeoutMs: AT_REST_WITHIN_MS, everyMs: 500 },
  );
}
