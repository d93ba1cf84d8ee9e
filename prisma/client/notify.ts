/**
 * Notifies every process that orders have changed (`listen.ts` receives it). Call it after the commit,
 * never within the transaction: PostgreSQL lets only one transaction with a NOTIFY commit at a time, and
 * the next one waits until the log of the first is on disk. A notification that is lost with its process
 * costs each reader a poll.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { Database } from './client.ts';

/** A busy shop writes hundreds of events per second; one statement notifies of all that gather. */
const GATHER_MS = 50;

const gathered = new WeakMap<Database, Set<OrderId>>();

/** Returns at once. A notification that fails is lost. */
export function notifyOrderChanged(db: Database, orderId: OrderId): void {
  const waiting = gathered.get(db);
  if (waiting !== undefined) {
    waiting.add(orderId);
    return;
  }
  gathered.set(db, new Set([orderId]));
  setTimeout(() => void send(db), GATHER_MS).unref();
}

async function send(db: Database): Promise<void> {
  const orderIds = [...(gathered.get(db) ?? [])];
  gathered.delete(db);
  await db.$executeRaw`SELECT pg_notify('holdfast_orders', id) FROM unnest(${orderIds}::text[]) AS id`.catch(
    () => undefined,
  );
}
