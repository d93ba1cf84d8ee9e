/**
 * Jobs: how they are created, read and advanced. Each batch of a job and its progress are one commit
 * (`advanceJob`), so a job that was killed continues exactly where its last batch ended. How a job
 * starts and ends is in job-status.ts. Raw SQL for the database's clock and for what a row had before.
 */
import type { JobId } from '../../domain/ids.ts';
import type { JobKind, JobProgress, JobStatus, JobStream } from '../../domain/jobs.ts';
import { insertCompletedKey, type KeyClaim, type StoredResponse } from '../access/idempotency.ts';
import { recordAction, type Operator } from '../access/operator-actions.ts';
import type { Database, Transaction } from '../client/client.ts';
import { readObject, uncheckedColumn } from '../client/columns.ts';
import { newId } from '../client/ids.ts';
import type { Prisma } from '../generated/client.ts';

export interface Job extends JobProgress {
  readonly id: JobId;
  readonly kind: JobKind;
  /** What it does, a key of `JOB_TYPES`: `sales_by_day`. */
  readonly type: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly status: JobStatus;
  /** Where the next batch begins, as the last one left it; null at the start. */
  readonly cursor: unknown;
  /** Committed batches. */
  readonly batches: number;
  readonly outputBytes: number;
  /** `schedule`, or `operator/<API key>`. */
  readonly actor: string;
  readonly approvedBy: string | null;
  readonly notifyEmail: string | null;
  /** Why it failed, in words. */
  readonly error: string | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
}

export interface JobDraft {
  readonly kind: JobKind;
  readonly type: string;
  /** Ids, times, codes: never personal data. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Default `queued`. */
  readonly status?: 'queued' | 'awaiting_approval' | undefined;
  readonly total?: number | undefined;
  readonly notifyEmail?: string | undefined;
  /** What the job was given, in pieces that are each read at once. */
  readonly input?: readonly string[] | undefined;
}

/** Who asks for the job, under which key, and the response that the key stores. */
export interface JobRequest {
  readonly by: Operator;
  readonly claim: KeyClaim;
  readonly respond: (job: Job) => StoredResponse;
}

/** Jobs that have not ended, of all kinds. An operator's next one would only wait. */
export const MAX_OPEN_JOBS = 50;

/** Writes the job and the key's response. `full`: too many jobs are open. Throws KeyTakenError. */
export function createJob(
  db: Database,
  { by, claim, respond }: JobRequest,
  draft: JobDraft,
): Promise<Job | 'full'> {
  return db.$transaction(async (tx) => {
    if (await isFull(tx)) return 'full';
    const id = newId(draft.kind);
    const job = await insertJob(tx, { ...draft, id, actor: `operator/${by.apiKeyId}` });
    const data = { type: job.type };
    await recordAction(tx, by, { action: `${job.kind}.requested`, subject: id, data });
    await insertCompletedKey(tx, claim, respond(job));
    return job;
  });
}

/**
 * Writes a job that a schedule asks for, once for each id. However many jobs are open: those of a night
 * are few, and one that is refused would be missing.
 */
export function createScheduledJob(
  db: Database,
  draft: JobDraft & { readonly id: JobId },
): Promise<Job> {
  return db.$transaction(
    async (tx) =>
      (await findJob(tx, draft.id)) ?? (await insertJob(tx, { ...draft, actor: 'schedule' })),
  );
}

async function isFull(tx: Transaction): Promise<boolean> {
  const status = {
    in: ['awaiting_approval', 'queued', 'running', 'cancelling'] satisfies JobStatus[],
  };
  return (await tx.job.count({ where: { status } })) >= MAX_OPEN_JOBS;
}

async function insertJob(
  tx: Transaction,
  draft: JobDraft & { readonly id: JobId; readonly actor: string },
): Promise<Job> {
  const { id, kind, type, params, status = 'queued', total, actor, notifyEmail } = draft;
  await tx.$executeRaw`
    INSERT INTO jobs (id, kind, type, params, status, total, actor, notify_email)
    VALUES (${id}, ${kind}::job_kind, ${type}, ${JSON.stringify(params)}::jsonb,
      ${status}::job_status, ${total ?? null}, ${actor}, ${notifyEmail ?? null})`;
  const chunks = (draft.input ?? []).map((body, seq) => ({
    jobId: id,
    stream: 'input' as const,
    seq,
    body,
  }));
  await tx.jobChunk.createMany({ data: chunks });
  return requireJob(tx, id);
}

/** What one batch did. The counts are of this batch alone. */
export interface JobStep {
  /** Items dealt with, the failed ones among them. */
  readonly done: number;
  readonly failed?: number;
  /** Where the next batch begins. */
  readonly cursor: unknown;
  /** When it became known, or changed. */
  readonly total?: number;
  /** Rows of the output and of the error file: objects of scalars, with the same keys in all of them. */
  readonly output?: readonly object[];
  readonly errors?: readonly object[];
}

/** Another attempt committed a batch, or the job has ended: this batch must be rolled back. */
export class JobAdvancedError extends Error {
  override readonly name = 'JobAdvancedError';
}

/**
 * Writes the progress and the rows of one batch, in the caller's transaction: the last statement of it,
 * after the batch's own work. Throws JobAdvancedError when `job` is not the job as it is.
 */
export async function advanceJob(tx: Transaction, job: Job, step: JobStep): Promise<Job> {
  const { done, failed = 0, cursor, total } = step;
  const chunks = [...chunksOf('output', step.output), ...chunksOf('errors', step.errors)];
  const bytes = chunks.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
  const known = total ?? job.total;
  const advanced = await tx.$executeRaw`
    UPDATE jobs SET done = done + ${done}, failed = failed + ${failed},
      cursor = ${JSON.stringify(cursor)}::jsonb, batches = batches + 1,
      -- More than were counted is no error: items can be added meanwhile.
      total = CASE WHEN ${known}::int IS NOT NULL THEN GREATEST(${known}::int, done + ${done}) END,
      output_bytes = output_bytes + ${bytes}, progress_at = now()
    WHERE id = ${job.id} AND batches = ${job.batches} AND status IN ('running', 'cancelling')`;
  if (advanced !== 1) throw new JobAdvancedError();
  for (const chunk of chunks) await appendChunk(tx, job.id, chunk);
  return requireJob(tx, job.id);
}

interface Chunk {
  readonly stream: JobStream;
  /** A row per line. */
  readonly body: string;
}

/** A download holds one of them in memory. */
const ROWS_PER_CHUNK = 2_000;

function chunksOf(stream: JobStream, rows: readonly object[] = []): readonly Chunk[] {
  const count = Math.ceil(rows.length / ROWS_PER_CHUNK);
  return Array.from({ length: count }, (_, at) => {
    const part = rows.slice(at * ROWS_PER_CHUNK, (at + 1) * ROWS_PER_CHUNK);
    return { stream, body: part.map((row) => JSON.stringify(row)).join('\n') };
  });
}

/** The job's row is locked, so no other appends. */
async function appendChunk(tx: Transaction, id: JobId, { stream, body }: Chunk): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO job_chunks (job_id, stream, seq, body)
    SELECT ${id}, ${stream}::job_stream, COALESCE(max(seq) + 1, 0), ${body}
    FROM job_chunks WHERE job_id = ${id} AND stream = ${stream}::job_stream`;
}

/** The job, or null. */
export async function findJob(db: Transaction, id: string): Promise<Job | null> {
  const row = await db.job.findUnique({ where: { id } });
  return row && toJob(row);
}

/** Throws when there is none. */
export async function requireJob(db: Transaction, id: JobId): Promise<Job> {
  return toJob(await db.job.findUniqueOrThrow({ where: { id } }));
}

/** The jobs of one kind, newest first, one page after `startingAfter`. */
export async function listJobs(
  db: Database,
  page: {
    readonly kind: JobKind;
    readonly limit: number;
    readonly startingAfter?: string | undefined;
  },
): Promise<{ readonly jobs: readonly Job[]; readonly hasMore: boolean }> {
  const { kind, limit, startingAfter } = page;
  const rows = await db.job.findMany({
    where: { kind, ...(startingAfter !== undefined && { id: { lt: startingAfter } }) },
    orderBy: { id: 'desc' },
    take: limit + 1,
  });
  return { jobs: rows.slice(0, limit).map(toJob), hasMore: rows.length > limit };
}

/** The pieces of a stream in order, each read when it is asked for: memory holds one of them. */
export async function* readChunks(
  db: Database,
  id: JobId,
  { stream, from = 0 }: { readonly stream: JobStream; readonly from?: number },
): AsyncGenerator<{ readonly seq: number; readonly body: string }> {
  for (let seq = from; ; seq += 1) {
    const chunk = await db.jobChunk.findUnique({
      where: { jobId_stream_seq: { jobId: id, stream, seq } },
      select: { seq: true, body: true },
    });
    if (chunk === null) return;
    yield chunk;
  }
}

function toJob(row: Prisma.JobGetPayload<object>): Job {
  return {
    id: uncheckedColumn<JobId>(row.id),
    kind: row.kind,
    type: row.type,
    params: readObject(row.params),
    status: row.status,
    total: row.total,
    done: row.done,
    failed: row.failed,
    cursor: row.cursor,
    batches: row.batches,
    outputBytes: Number(row.outputBytes),
    actor: row.actor,
    approvedBy: row.approvedBy,
    notifyEmail: row.notifyEmail,
    error: row.error,
    createdAt: row.createdAt.toISOString(),
    startedAt: row.startedAt?.toISOString() ?? null,
    finishedAt: row.finishedAt?.toISOString() ?? null,
  };
}
