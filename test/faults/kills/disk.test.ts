import { afterAll, beforeAll, expect } from 'vitest';
import { createCleanup } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { test } from '../matrix-case.ts';
import { newRequest } from './client.ts';
import { openTestStack, type TestStack } from './test-stack.ts';
import { startOwnPostgres, type OwnPostgres } from './own-postgres.ts';
import { expectReady, startShoppers } from './shoppers.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

/** PostgreSQL with its data and its write-ahead log on a disk that can be filled completely. */
const { onClose, close } = createCleanup();
const DISK_MB = 320;
const WAL = ['max_wal_size=64MB', 'min_wal_size=32MB'];
const REFUSED = 30;
/** Some orders are accepted while existing pages have room. */
const MAX_ATTEMPTS = 5_000;
let disk: SmallDisk | null;
let postgres: OwnPostgres;
let stack: TestStack;
beforeAll(async () => {
  disk = await mountSmallDisk(onClose, DISK_MB);
  if (disk === null) return;
  postgres = await startOwnPostgres({ onClose, dir: disk.dir, settings: WAL });
  stack = await openTestStack({ onClose, databaseUrl: postgres.url });
});
afterAll(close);

test('[infra/disk-full] a full database disk causes 503 until there is room, and no accepted order is lost', async (proof) => {
  if (disk === null) return proof.cannotRun('needs a file system of a fixed size to be mounted');
  const shoppers = startShoppers(stack);
  await shoppers.untilMore(10);
  await disk.fill();
  // No room for another page of a table: a statement fails.
  proof.fired(await refusals());
  // No room for the write-ahead log either: the server stops.
  await exhaustLog();
  proof.fired(await refusals());
  await disk.free();
  if (!postgres.isRunning) await postgres.start();
  await expectReady(stack, true);
  await shoppers.untilMore(10);
  await shoppers.expectAllKept();
});

/** Places orders until enough were refused; each is either accepted or refused with 503. */
async function refusals(): Promise<number> {
  let refused = 0;
  for (let attempts = 0; refused < REFUSED && attempts < MAX_ATTEMPTS; attempts += 1) {
    const response = await stack.client.tryOnce(newRequest({ quantity: 1 }));
    expect([201, 503], response?.text).toContain(response?.status);
    if (response?.status === 503) refused += 1;
  }
  expect(refused).toBe(REFUSED);
  return refused;
}

/** Makes the server switch to its next log file until it has no room for one and stops. */
async function exhaustLog(): Promise<void> {
  const limits = { timeoutMs: 60_000, everyMs: 20 };
  await eventually(async () => {
    await stack.db.$executeRaw`SELECT pg_switch_wal()`.catch(() => undefined);
    expect(postgres.isRunning).toBe(false);
  }, limits);
}
