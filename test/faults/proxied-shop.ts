/** A shop whose connection to PostgreSQL can be cut, slowed and closed; tests look past it, directly. */
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { NetworkFault } from '../../tools/chaos/network-fault.ts';
import { createTcpProxy, type TcpProxy } from '../../tools/chaos/tcp-proxy.ts';
import { createDatabase, type Database } from '../../prisma/client/client.ts';
import { seed } from '../../prisma/seed.ts';
import { createTestDatabase } from '../support/database.ts';
import { openShop, type Shop } from '../support/shop.ts';

export interface ProxiedShop extends Shop {
  readonly proxy: TcpProxy;
  /** The same database, not through the proxy. */
  readonly direct: Database;
  /** Places one mug; `afterAuthorize` runs when the provider has answered, before that is recorded. */
  buy(key: string, afterAuthorize?: () => void): Promise<Response>;
  /** Lets the lease on the key pass, as a client does that waits. */
  passLease(key: string): Promise<void>;
  /** Lets the order's deadline pass. */
  passDeadline(orderId: string): Promise<void>;
  /** The order the key was first used for, or null. */
  orderOfKey(key: string): Promise<string | null>;
  heldMugs(): Promise<number>;
}

/** The first statement of taking an order, before it has reached the server. */
export const CLAIM_ASKED = cutBefore('INSERT INTO idempotency_keys');
/** The hold, before it has reached the server. */
export const HOLD_ASKED = cutBefore('UPDATE stock SET held = held +');

export async function openProxiedShop(): Promise<ProxiedShop> {
  const database = await createTestDatabase();
  const url = new URL(database.url);
  const proxy = await createTcpProxy({ target: { port: Number(url.port), host: url.hostname } });
  const direct = createDatabase({ url: database.url, poolSize: 4 });
  await seed(direct);
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  const authorized: (() => void)[] = [];
  const payments = (real: PaymentGateway): PaymentGateway => ({
    ...real,
    async authorize(...request) {
      const outcome = await real.authorize(...request);
      for (const act of authorized.splice(0)) act();
      return outcome;
    },
  });
  const shop = await openShop({ databaseUrl: url.href, payments, timeoutFactor: 1 });
  const buy: ProxiedShop['buy'] = (key, afterAuthorize) => {
    if (afterAuthorize) authorized.push(afterAuthorize);
    return shop.place({}, key);
  };
  // Keys and products are remembered, and statements prepared, from here on: faults hit the order.
  await buy('the first of the day');
  return {
    ...shop,
    proxy,
    direct,
    buy,
    async passLease(key) {
      await direct.idempotencyKey.updateMany({ where: { key }, data: { leaseUntil: new Date(0) } });
    },
    async passDeadline(id) {
      const past = new Date(Date.now() - 600_000);
      await direct.order.update({ where: { id }, data: { createdAt: past, deadlineAt: past } });
    },
    async orderOfKey(key) {
      return (await direct.idempotencyKey.findFirst({ where: { key } }))?.orderId ?? null;
    },
    async heldMugs() {
      return (await direct.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } })).held;
    },
    async close() {
      proxy.clearFaults();
      await shop.close();
      await direct.$disconnect();
      await proxy.close();
      await database.drop();
    },
  };
}

function cutBefore(statement: string): NetworkFault {
  const pattern = Buffer.from(statement);
  return { kind: 'cut_on', direction: 'to_server', pattern, deliver: false, times: 1 };
}
