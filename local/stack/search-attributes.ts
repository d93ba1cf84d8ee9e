/** The search attributes the workflows set: on our own dev server, and on one somebody gave. */
import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

const REGISTER_TIMEOUT_MS = 15_000;

export const SEARCH_ATTRIBUTES = {
  OrderStatus: 'Keyword',
  OrderTotal: 'Int',
  Currency: 'Keyword',
  Sku: 'KeywordList',
  NeedsAttention: 'Bool',
} as const;

/** Numbers of temporal.api.enums.v1.IndexedValueType. */
const INDEXED_VALUE_TYPE = { Keyword: 2, Int: 3, Bool: 5, KeywordList: 7 } as const;

/** True when the server at the address knows the namespace and its search attributes. */
export async function isTemporalUp(address: string, namespace: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: '1 second' });
    const { operatorService } = connection;
    const found = await connection.withDeadline(Date.now() + 2000, () =>
      operatorService.listSearchAttributes({ namespace }),
    );
    return Object.keys(SEARCH_ATTRIBUTES).every((name) => name in (found.customAttributes ?? {}));
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

/**
 * Adds the search attributes that a server somebody gave does not have yet. Connects with Temporal's
 * own client variables (address, TLS, API key). Throws when it cannot be reached.
 */
export async function registerSearchAttributes(): Promise<void> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const connection = await Connection.connect({
    ...connectionOptions,
    connectTimeout: '10 seconds',
  });
  const where = { namespace: namespace ?? 'default' };
  const { operatorService } = connection;
  try {
    await connection.withDeadline(Date.now() + REGISTER_TIMEOUT_MS, async () => {
      const found = await operatorService.listSearchAttributes(where);
      const missing = Object.entries(SEARCH_ATTRIBUTES).filter(
        ([name]) => !(name in (found.customAttributes ?? {})),
      );
      if (missing.length === 0) return;
      const searchAttributes = Object.fromEntries(
        missing.map(([name, type]) => [name, INDEXED_VALUE_TYPE[type]]),
      );
      await operatorService.addSearchAttributes({ ...where, searchAttributes });
    });
  } finally {
    await connection.close();
  }
}
