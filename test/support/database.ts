/** One real database per test file, cloned from the migrated template in tens of milliseconds. */
import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { createDatabase, dropDatabase } from '../../local/stack/postgres.ts';

export interface TestDatabase {
  readonly url: string;
  /** Drops it with whatever connections are left. */
  close(): Promise<void>;
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const template = new URL(inject('templateUrl'));
  const url = new URL(template);
  url.pathname = `/test_${randomUUID().replaceAll('-', '')}`;
  await createDatabase(url.href, template.pathname.slice(1));
  return { url: url.href, close: () => dropDatabase(url.href) };
}

/** Timeouts in tests are this much longer than in production: a busy machine must break no test. */
export const TIMEOUT_FACTOR = 20;
