import { Connection } from '@temporalio/client';
import pg from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { registerSearchAttributes } from '../../temporal.ts';
import { createTestDatabase } from '../support/database.ts';
import { createTimeSkippingEnv, startDevServer } from '../support/temporal.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterAll(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

describe('test support', () => {
  it('each test database is separate and migrated', async () => {
    const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    cleanups.push(one.drop, two.drop);
    expect(one.url).not.toBe(two.url);
    const client = new pg.Client({ connectionString: one.url });
    await client.connect();
    const found = await client.query('SELECT migration_name FROM _prisma_migrations');
    await client.end();
    expect(found.rowCount).toBeGreaterThan(0);
  });

  it('the time-skipping environment moves its clock by a day of sleep', async () => {
    const environment = await createTimeSkippingEnv();
    cleanups.push(() => environment.teardown());
    const before = await environment.currentTimeMs();
    await environment.sleep('1 day');
    expect((await environment.currentTimeMs()) - before).toBeGreaterThanOrEqual(86_400_000);
  });

  it('the dev server already has the search attributes of the local stack', async () => {
    const server = await startDevServer();
    cleanups.push(server.stop);
    const connection = await Connection.connect({ address: server.address });
    cleanups.push(() => connection.close());
    expect(await registerSearchAttributes(connection, server.namespace)).toEqual([]);
  });
});
