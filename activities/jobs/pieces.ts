/** What imports and bulk actions have in common: each piece of their input is one batch. */
import { z } from 'zod';
import type { Operator } from '../../prisma/access/operator-actions.ts';
import type { Database } from '../../prisma/client/client.ts';
import { readChunks, type Job } from '../../prisma/jobs/jobs.ts';

const pieceCursor = z.object({ piece: z.number().int() }).nullable();

export interface Piece {
  /** JSON, as the API wrote it. */
  readonly content: unknown;
  /** The cursor behind it. */
  readonly after: z.infer<typeof pieceCursor>;
}

/** The first piece that was not worked on; null when there is none left. */
export async function nextPiece(db: Database, job: Job): Promise<Piece | null> {
  const { piece } = pieceCursor.parse(job.cursor) ?? { piece: 0 };
  const chunks = readChunks(db, job.id, { stream: 'input', from: piece });
  const { value } = await chunks.next();
  return value === undefined
    ? null
    : { content: JSON.parse(value.body), after: { piece: piece + 1 } };
}

/** The API key that asked for the job; its actions are found by the job's id. */
export function operatorOf({ id, actor }: Job): Operator {
  return { apiKeyId: actor.replace(/^operator\//, ''), correlationId: id };
}
