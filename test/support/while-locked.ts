/** Two transactions in a given order, without a clock. */
import pg from 'pg';
import { expect } from 'vitest';
import { eventually } from './eventually.ts';

/**
 * Runs `first` in a transaction and begins `meanwhile`. When that waits for a lock, `finish` runs in the
 * transaction, which is committed.
 */
export async function whileLocked<T>(
  url: string,
  work: {
    readonly first: string;
    readonly meanwhile: () => Promise<T>;
    readonly finish?: string;
  },
): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(work.first);
    const waiting = work.meanwhile();
    await eventually(async () => {
      const { rowCount } = await client.query(
        `SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE NOT granted AND datname = current_database()`,
      );
      expect(rowCount).toBeGreaterThan(0);
    });
    if (work.finish !== undefined) await client.query(work.finish);
    await client.query('COMMIT');
    return await waiting;
  } finally {
    await client.end();
  }
}

/** The order as an erasure leaves it. */
export function orderErased(orderId: string): string {
  return `UPDATE orders SET status = 'declined', erased_at = now(), customer_email = 'erased',
    customer_name = 'erased', customer_phone = NULL, customer_sms_consent = false,
    shipping_address = '{"line1": "erased", "city": "erased", "country": "DE"}'
    WHERE id = '${orderId}'`;
}
