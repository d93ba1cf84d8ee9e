/**
 * Cancels, refunds or redrives item by item: each piece of the input is what may begin within one second. An
 * item is one call of the API in itself and commits on its own; repeated after a crash it changes nothing.
 */
import { setTimeout } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { z } from 'zod';
import type { BulkAction } from '../../domain/bulk.ts';
import { advanceJob } from '../../prisma/jobs/jobs.ts';
import { eachItem, OutageError } from '../../telemetry/items.ts';
import { itemLoop } from '../items.ts';
import { nextPiece, operatorOf } from './pieces.ts';
import type { JobType } from './job-type.ts';

/** Of a piece with an item that is not decided: some minutes. */
const MAX_ATTEMPTS = 8;

const bulkParams = z.object({ note: z.string(), rate_per_second: z.number().int().min(1) });
const bulkIds = z.array(z.string());

export function bulkOf(action: BulkAction): JobType {
  return {
    prepare: (_, { total }) => Promise.resolve(total),
    async next({ db, bulkItems }, job) {
      const piece = await nextPiece(db, job);
      if (piece === null) return 'done';
      const ids = bulkIds.parse(piece.content);
      const { note, rate_per_second: rate } = bulkParams.parse(job.params);
      const { apiKeyId: actor } = operatorOf(job);
      const by = { jobId: job.id, actor, note };
      const pace = paced(rate);
      const errors: { readonly id: string; readonly message: string }[] = [];
      // All of them at once, if each of them takes long.
      const loop = itemLoop<string>('bulk', (id) => id, ids.length);
      const failed = await eachItem(ids, loop, async (id) => {
        await pace();
        Context.current().heartbeat();
        const outcome = await bulkItems[action](id, by);
        if (outcome.kind === 'undecided' && mayRepeat()) throw new OutageError(outcome.reason);
        if (outcome.kind !== 'done') errors.push({ id, message: outcome.reason });
      });
      errors.push(
        ...failed.map(({ item: id }) => ({ id, message: 'An internal error; see the log.' })),
      );
      await pace();
      const step = { done: ids.length, failed: errors.length, cursor: piece.after, errors };
      await db.$transaction((tx) => advanceJob(tx, job, step));
      return 'more';
    },
  };
}

/** An item that stays undecided must not keep the others waiting for ever. */
function mayRepeat(): boolean {
  return Context.current().info.attempt < MAX_ATTEMPTS;
}

/** Each call waits for its turn, at `ratePerSecond`. */
function paced(ratePerSecond: number): () => Promise<unknown> {
  const startedAt = performance.now();
  let turns = 0;
  return () => {
    const waitMs = startedAt + (turns * 1_000) / ratePerSecond - performance.now();
    turns += 1;
    return setTimeout(Math.max(waitMs, 0));
  };
}
