/** A shop whose connection to PostgreSQL can be cut, slowed and refused; tests read past the proxy. */
import { expect } from 'vitest';
import { storedKey } from '../../api/http/idempotency-key.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { CHANGE_DONE, type NetworkFault } from '../../tools/chaos/network-fault.ts';
import { createTcpProxy, type TcpProxy } from '../../tools/chaos/tcp-proxy.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { seed } from '../../prisma/seed.ts';
import { createTestDatabase } from '../support/database.ts';
import { problemOf } from '../support/responses.ts';
import { openShop, type Shop } from '../support/shop.ts';
import { useOpened } from '../support/use-opened.ts';

export interface ProxiedShop extends Shop {
  readonly proxy: TcpProxy;
  /** The same database, without the proxy. */
  readonly direct: Database;
  /** Adds faults to the connection until `proxy.clearFaults`. */
  inject(...faults: readonly NetworkFault[]): void;
  /** How often faults fired since the last `inject`. */
  fired(): number;
  /** Places one mug; `afterAuthorize` runs between the provider's response and its record. */
  buy(key: string, afterAuthorize?: () => void): Promise<Response>;
  /** The order the key was first used for, or null. */
  orderOfKey(key: string): Promise<string | null>;
}

/** The connection is cut once, instead of delivering the first packet with these bytes. */
export function cutAt(pattern: string | Buffer, direction: Direction = 'to_server'): NetworkFault {
  return { kind: 'cut_on', direction, pattern: Buffer.from(pattern), deliver: false, times: 1 };
}

type Direction = 'to_server' | 'to_client';

/** The statements have their event's type as a parameter. */
export const BEFORE_OPENED = cutAt('order.created');
export const BEFORE_PLACED = cutAt('order.placed');
/** The only response with this column before the order is placed. */
export const OPENED_RESPONSE_LOST = cutAt('customerId\0', 'to_client');
export const PLACED_RESPONSE_LOST = cutAt(CHANGE_DONE, 'to_client');

/** A 503 that says when to retry. */
export async function expectDatabaseUnavailable(shop: Shop, response: Response): Promise<void> {
  const problem = await problemOf(response);
  expect(problem, shop.logged.at(-1)).toMatchObject({ status: 503, code: 'database_unavailable' });
  expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
}

export const useProxiedShop = (): ProxiedShop => useOpened(openProxiedShop);

async function openProxiedShop(): Promise<ProxiedShop> {
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
  // Keys and products are cached, and statements prepared: from now on faults hit the order.
  await buy('warm-up');
  const total = () => Object.values(proxy.counts()).reduce((sum, count) => sum + count, 0);
  let firedBefore = 0;
  return {
    ...shop,
    proxy,
    direct,
    inject(...faults) {
      firedBefore = total();
      for (const fault of faults) proxy.inject(fault);
    },
    fired: () => total() - firedBefore,
    buy,
    async orderOfKey(key) {
      return (
        (await direct.idempotencyKey.findFirst({ where: { key: storedKey(key) } }))?.orderId ?? null
      );
    },
    async close() {
      proxy.clearFaults();
      await shop.close();
      await closeDatabase(direct);
      await proxy.close();
      await database.close();
    },
  };
}
