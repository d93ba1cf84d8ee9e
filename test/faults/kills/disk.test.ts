import { afterAll, beforeAll, expect } from 'vitest';
import { createCleanup } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { cell } from '../matrix-case.ts';
import { newRequest } from './client.ts';
import { openServer, openTestStack, type TestStack } from './test-stack.ts';
import { startOwnPostgres, type OwnPostgres } from './own-postgres.ts';
import { expectKept, expectReady, startShoppers } from './shoppers.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';
import { expectEventuallyConsistent } from './consistent.ts';

/** PostgreSQL with its data and its write-ahead log on a disk that can be filled to the last byte. */
const { onClose, close } = createCleanup();
const DISK_MB = 320;
const WAL = ['max_wal_size=64MB', 'min_wal_size=32MB'];
const REFUSED = 30;
/** Some are taken while there is room in pages that are there already. */
const MOST_TRIES = 5_000;
let disk: SmallDisk | null;
let postgres: OwnPostgres;
let stack: TestStack;
beforeAll(async () => {
  disk = await mountSmallDisk(onClose, DISK_MB);
  if (disk === null) return;
  postgres = await startOwnPostgres({ onClose, dir: disk.dir, settings: WAL });
  const server = await openServer(onClose);
  const database = { url: postgres.url, drop: () => Promise.resolve() };
  stack = await openTestStack({ name: 'shop', server, onClose, database });
});
afterAll(close);

cell(
  'infra/disk-full',
  'a full database disk causes 503 until there is room, and no accepted order is lost',
  async ({ fired, cannotRun }) => {
    if (disk === null) return cannotRun('needs a file system of a fixed size to be mounted');
    const shoppers = startShoppers(stack);
    await shoppers.untilMore(10);
    await disk.fill();
    // No room for another page of a table: a statement fails.
    fired(await refusals());
    // No room for the write-ahead log either: the server gives up.
    await endLog();
    fired(await refusals());
    await disk.free();
    if (!postgres.isRunning) await postgres.start();
    await expectReady(stack, true);
    await shoppers.untilMore(10);
    await shoppers.stop();
    await expectKept(stack, shoppers.accepted);
    await expectEventuallyConsistent(stack);
  },
  300_000,
);

/** Tries until enough were refused; whatever is not accepted is told to come again. */
async function refusals(): Promise<number> {
  let refused = 0;
  for (let tries = 0; refused < REFUSED && tries < MOST_TRIES; tries += 1) {
    const answer = await stack.client.tryOnce(newRequest({ quantity: 1 }));
    expect([201, 503], answer?.text).toContain(answer?.status);
    if (answer?.status === 503) refused += 1;
  }
  expect(refused).toBe(REFUSED);
  return refused;
}

/** Has the server take its next log file, and the next, until it cannot. */
async function endLog(): Promise<void> {
  const limits = { timeoutMs: 60_000, everyMs: 20 };
  await eventually(async () => {
    await stack.db.$executeRaw`SELECT pg_switch_wal()`.catch(() => undefined);
    expect(postgres.isRunning).toBe(false);
  }, limits);
}
