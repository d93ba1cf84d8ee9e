/** Records a dead letter as the failing code would. */
import { randomUUID } from 'node:crypto';
import type { OrderId } from '../../domain/ids.ts';
import type { Database } from '../../prisma/client/client.ts';
import { recordDeadLetter, type NewDeadLetter } from '../../prisma/events/dead-letters.ts';

/** Of a delivery, unless `given` says otherwise; gives its id. */
export async function deadLetterFixture(
  db: Database,
  orderId: OrderId,
  given: Partial<NewDeadLetter>,
): Promise<string> {
  const at = '2026-11-01T10:00:00.000Z';
  const written: NewDeadLetter = {
    source: 'delivery',
    subject: 'analytics',
    orderId,
    eventId: randomUUID(),
    message: { type: 'order.placed' },
    error: 'HTTP 500',
    retryCount: 3,
    firstFailedAt: at,
    lastFailedAt: at,
    ...given,
  };
  await db.$transaction((tx) => recordDeadLetter(tx, written));
  const { source, subject, eventId } = written;
  const row = await db.deadLetter.findFirstOrThrow({
    where: { orderId, source, subject, eventId },
  });
  return row.id;
}
