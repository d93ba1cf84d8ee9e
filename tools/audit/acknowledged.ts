/** Compares a client's own list of acknowledged orders (201) with the database: none may be lost. */
import { findAuditedOrders } from '../../prisma/operations/audit-queries.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { Check } from './check.ts';

export const ACKNOWLEDGED_CHECK = 'acknowledged_orders_exist';

export function acknowledgedCheck(db: Database, orderIds: readonly string[]): Check {
  return {
    name: ACKNOWLEDGED_CHECK,
    title: 'Every order a client got a 201 for is in the database, placed',
    async run() {
      const orders = await findAuditedOrders(db, orderIds);
      return [...new Set(orderIds)].flatMap((subject) => {
        const order = orders.get(subject);
        if (order === undefined)
          return [{ subject, detail: 'acknowledged, but not in the database' }];
        if (order.wasPlaced) return [];
        return [{ subject, detail: `acknowledged, but only ${order.status}` }];
      });
    },
  };
}

/** Order ids, one per line; empty lines and those that begin with # are skipped. */
export function parseAcknowledged(text: string): readonly string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}
