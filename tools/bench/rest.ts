/** Waits until orders are at rest: shipped, and the customer was notified. */
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';

const POLL_MS = 10;

export type AtRest = (orderId: string, withinMs: number) => Promise<boolean>;

/**
 * Returns a function that resolves with true when the order is at rest, and with false when it is not
 * in time. One query asks for all orders that somebody waits for, so that waiting costs little.
 */
export function watchRest(client: pg.Client): AtRest {
  const waiting = new Map<string, { readonly untilMs: number; end(isAtRest: boolean): void }>();
  let polling = false;

  async function poll(): Promise<void> {
    polling = true;
    try {
      while (waiting.size > 0) await pollOnce();
    } catch {
      // The database is gone: nobody will know.
      for (const { end } of waiting.values()) end(false);
      waiting.clear();
    } finally {
      polling = false;
    }
  }

  async function pollOnce(): Promise<void> {
    const { rows } = await client.query<{ id: string }>({
      name: 'at-rest',
      text: `SELECT /* bench */ order_id AS id FROM events
        WHERE order_id = ANY($1) AND dedup_key = 'order.customer_notified/shipped'`,
      values: [[...waiting.keys()]],
    });
    const atRest = new Set(rows.map(({ id }) => id));
    for (const [id, { untilMs, end }] of waiting) {
      if (!atRest.has(id) && performance.now() < untilMs) continue;
      waiting.delete(id);
      end(atRest.has(id));
    }
    await delay(POLL_MS);
  }

  return (orderId, withinMs) =>
    new Promise((resolve) => {
      waiting.set(orderId, { untilMs: performance.now() + withinMs, end: resolve });
      if (!polling) void poll();
    });
}
