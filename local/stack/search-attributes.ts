/** Registers the workflows' search attributes, on our dev server or on an external server. */
import { Connection } from '@temporalio/client';
import { readTemporalConfig } from '../../config.ts';
import { SEARCH_ATTRIBUTES } from '../../workflows/checkout/contract.ts';

/** The dev server's flags that register them. It names the types `Keyword`, `KeywordList` ... */
export function searchAttributeFlags(): string[] {
  return Object.values(SEARCH_ATTRIBUTES).flatMap(({ name, type }) => {
    const words = type
      .split('_')
      .map((word) => `${word.slice(0, 1)}${word.slice(1).toLowerCase()}`);
    return ['--search-attribute', `${name}=${words.join('')}`];
  });
}

/** True when the server at the address knows the namespace and its search attributes. */
export async function isTemporalUp(address: string, namespace: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: '1 second' });
    const { operatorService } = connection;
    const found = await connection.withDeadline(Date.now() + 2000, () =>
      operatorService.listSearchAttributes({ namespace }),
    );
    return Object.values(SEARCH_ATTRIBUTES).every(({ name }) => name in found.customAttributes);
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

/**
 * Adds the missing ones to the server that Temporal's client variables name (address, TLS, API key).
 * Throws when it cannot be reached.
 */
export async function prepareExternalServer(): Promise<void> {
  const { connectionOptions, namespace = 'default' } = readTemporalConfig();
  const connection = await Connection.connect({
    ...connectionOptions,
    connectTimeout: '10 seconds',
  });
  try {
    // Imported here: it loads the whole worker, and only an external server needs it.
    const { registerSearchAttributes } = await import('../../temporal/connection.ts');
    await registerSearchAttributes(connection, namespace);
  } finally {
    await connection.close();
  }
}
