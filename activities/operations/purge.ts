/** The sweep's part that deletes and erases what is older than its retention period. */
import { Context } from '@temporalio/activity';
import { purgeWantedTypes } from '../../prisma/events/webhook-wanted-types.ts';
import {
  purgeConsumedEvents,
  purgeDeadLetters,
  purgeEvents,
  purgeFeedBatches,
  purgeInboxMessages,
  purgeJobs,
  purgeKeys,
  purgeQuotes,
  purgeReconciliations,
  purgeRedrives,
  purgeStepAttempts,
} from '../../prisma/operations/retention.ts';
import { QUOTE_RETENTION_DAYS } from '../../domain/retention.ts';
import {
  eraseOutdatedGuest,
  eraseOutdatedOrder,
  listOutdated,
  listOutdatedGuests,
} from '../../prisma/privacy/outdated.ts';
import { eachItem } from '../../telemetry/items.ts';
import { itemLoop } from '../items.ts';
import type { SweepDependencies } from './dependencies.ts';

/** Short transactions: no other query waits long for a row. */
const PURGE_BATCH = 1_000;
/** Enough for a minute of a busy shop, and a sweep still ends in time. */
const MAX_PURGE_BATCHES = 20;
/** Some milliseconds each: what is left is for the next sweep. */
const ERASED_BATCH = 200;

/** Deletes every kind of record by its period. Returns the number of rows. */
export async function purgeOld({
  db,
  retention,
}: Pick<SweepDependencies, 'db' | 'retention'>): Promise<number> {
  const { keys, events, messages, failures, jobs } = retention;
  const purged = await Promise.all([
    drainInBatches((limit) => purgeKeys(db, { days: keys, limit })),
    drainInBatches((limit) => purgeEvents(db, { days: events, limit })),
    // Kept longer than the events: a rewind cannot count twice.
    drainInBatches((limit) => purgeConsumedEvents(db, { days: events * 2, limit })),
    drainInBatches((limit) => purgeInboxMessages(db, { days: messages, limit })),
    drainInBatches((limit) => purgeDeadLetters(db, { days: failures, limit })),
    drainInBatches((limit) => purgeQuotes(db, { days: QUOTE_RETENTION_DAYS, limit })),
    drainInBatches((limit) => purgeRedrives(db, { days: failures, limit })),
    drainInBatches((limit) => purgeStepAttempts(db, { days: failures, limit })),
    drainInBatches((limit) => purgeFeedBatches(db, { days: messages, limit })),
    drainInBatches((limit) => purgeReconciliations(db, { days: failures, limit })),
    drainInBatches((limit) => purgeJobs(db, { days: jobs, limit })),
    purgeWantedTypes(db),
  ]);
  return purged.reduce((sum, count) => sum + count, 0);
}

/**
 * Erases the persons of orders that are older than the period, and guests who have no other order, or had
 * store credit until now. Returns the number of orders.
 */
export async function eraseOutdated({
  db,
  retention,
}: Pick<SweepDependencies, 'db' | 'retention'>): Promise<number> {
  if (retention.personalData === null) return 0;
  const outdated = await listOutdated(db, { days: retention.personalData, limit: ERASED_BATCH });
  let erased = 0;
  const loop = itemLoop('erase_outdated', ({ id }: (typeof outdated)[number]) => id);
  await eachItem(outdated, loop, async (order) => {
    if (await eraseOutdatedOrder(db, order)) erased += 1;
  });
  const guests = await listOutdatedGuests(db, ERASED_BATCH);
  const guestLoop = itemLoop('erase_guests', ({ id }: (typeof guests)[number]) => id);
  await eachItem(guests, guestLoop, ({ email }) => eraseOutdatedGuest(db, email));
  return erased;
}

/** Purges batch by batch until one is not full. Returns the number of rows. */
async function drainInBatches(purge: (limit: number) => Promise<number>): Promise<number> {
  let total = 0;
  for (let batch = 0; batch < MAX_PURGE_BATCHES; batch += 1) {
    const count = await purge(PURGE_BATCH);
    Context.current().heartbeat();
    total += count;
    if (count < PURGE_BATCH) break;
  }
  return total;
}
