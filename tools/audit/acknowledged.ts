/** The client's own list of orders it got a 201 for: each must be there (zero lost acknowledgements). */
import { findAuditedOrders } from '../../prisma/operations/audit-queries.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { Check } from './check.ts';

export function acknowledgedCheck(db: Database, orderIds: readonly string[]): Check {
  return {
    name: 'acknowledged_orders_exist',
    title: 'Every order a client got a 201 for is in the database, placed',
    async run() {
      const orders = await findAuditedOrders(db, orderIds);
      return [...new Set(orderIds)].flatMap((subject) => {
        const order = orders.get(subject);
        if (order === undefined) return [{ subject, detail: 'acknowledged, and not there' }];
        if (order.wasPlaced) return [];
        return [{ subject, detail: `acknowledged, and only ${order.status}` }];
      });
    },
  };
}

/** Order ids, one per line; empty lines and those that begin with # are left out. */
export function parseAcknowledged(text: string): readonly string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}
