/**
 * The routes that every kind of job has: list, show or stream, cancel, resume. How one is requested is
 * its own route (`requestJob`): reports in reports.ts. The files are at /downloads, by signed links.
 */
import { createRoute, OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { isJobId, jobKindOf } from '../../domain/ids.ts';
import type { JobKind } from '../../domain/jobs.ts';
import { cancelJob, resumeJob } from '../../prisma/jobs/job-status.ts';
import {
  createJob,
  findJob,
  listJobs,
  MAX_OPEN_JOBS,
  type Job,
  type JobDraft,
} from '../../prisma/jobs/jobs.ts';
import { startJobAndMark } from '../../services/job-starter.ts';
import type { Services } from '../context.ts';
import { claimOf } from '../http/idempotency-key.ts';
import { refused, withIdempotencyKey } from '../http/idempotent.ts';
import { ProblemError, type Problem } from '../http/problems.ts';
import { idIn, onInvalid, sendStored } from '../http/respond.ts';
import { streamResponse, wantsStream } from '../http/sse-response.ts';
import { jobBody, progressSource } from '../jobs/job-body.ts';
import { clientOf, operatorOf, type ApiEnv } from '../middleware/request.ts';
import { listOf, pageOfIds } from '../schemas/common.ts';
import { progressContent } from '../schemas/events.ts';
import { jobParam, type JobBody } from '../schemas/jobs.ts';
import { problems } from '../schemas/problems.ts';

/** One kind of job. */
export interface JobRoutes {
  readonly kind: JobKind;
  /** `/v1/reports` */
  readonly path: string;
  /** For the API reference: `Reports`, `report`. */
  readonly tag: string;
  readonly schema: z.ZodType<JobBody>;
}

/** As a plain application: their paths are not literals, so a typed client does not know them. */
export function jobRoutes(services: Services, routes: JobRoutes): OpenAPIHono<ApiEnv> {
  const { db, cipher, jobStreams } = services;
  const { kind, path } = routes;
  const described = describeRoutes(routes);
  const app = new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid });
  app.openapi(described.list, async (c) => {
    const { limit, starting_after: startingAfter } = c.req.valid('query');
    const { jobs, hasMore } = await listJobs(db, { kind, limit, startingAfter });
    const data = jobs.map((job) => jobBody(cipher, job));
    return c.json({ object: 'list' as const, url: path, data, has_more: hasMore }, 200);
  });
  app.openapi(described.show, async (c) => {
    const job = await loadJob(services, kind, c.req.valid('param').id);
    if (!wantsStream(c)) return c.json(jobBody(cipher, job), 200);
    const source = progressSource(services, job.id);
    return streamResponse(c, jobStreams.open(source, clientOf(c)));
  });
  app.openapi(described.cancel, async (c) => {
    const { id } = await loadJob(services, kind, c.req.valid('param').id);
    const outcome = await cancelJob(db, operatorOf(c), id);
    if (outcome.kind === 'ended' && outcome.job.status !== 'cancelled') throw notOpen(outcome.job);
    // Also one that waits for another attempt ends now. Without Temporal it ends when it is back.
    services.starts.begin(() => services.jobs.cancel(id), { job_id: id });
    return c.json(jobBody(cipher, outcome.job), 202);
  });
  app.openapi(described.resume, async (c) => {
    const { id } = await loadJob(services, kind, c.req.valid('param').id);
    const { kind: outcome, job } = await resumeJob(db, operatorOf(c), id);
    if (outcome === 'refused') throw notResumable(job);
    services.starts.begin(() => startJobAndMark(services, job), { job_id: id });
    return c.json(jobBody(cipher, job), 202);
  });
  return app;
}

/** Writes the job under the request's Idempotency-Key and starts it in the background: 202. */
export async function requestJob<T extends z.ZodType>(
  services: Services,
  c: Context<ApiEnv>,
  request: {
    readonly path: string;
    readonly key: string;
    /** What the request says, to tell a repeat from another request. */
    readonly body: unknown;
    /** Not called for a repeat, which gets the stored response whatever is true by now. */
    readonly draft: () => JobDraft | Promise<JobDraft>;
  },
) {
  const { path, key, body, draft } = request;
  const claim = claimOf({ apiKeyId: c.var.apiKey.id, scope: `POST ${path}`, key, body });
  const respond = (job: Job) => ({
    status: 202,
    body: JSON.stringify(jobBody(services.cipher, job)),
  });
  const outcome = await withIdempotencyKey(services.db, claim, async () => {
    const job = await createJob(services.db, { by: operatorOf(c), claim, respond }, await draft());
    if (job === 'full') return refused(tooManyJobs());
    if (job.status === 'queued') {
      services.starts.begin(() => startJobAndMark(services, job), { job_id: job.id });
    }
    return respond(job);
  });
  if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
  c.header('location', `${path}/${idIn(outcome.response.body)}`);
  return sendStored<202, T>(c, outcome.response, outcome.replayed);
}

/** The job of this kind. Throws ProblemError `job_not_found`. */
export async function loadJob({ db }: Services, kind: JobKind, id: string): Promise<Job> {
  const job = isJobId(id) && jobKindOf(id) === kind ? await findJob(db, id) : null;
  if (job === null) throw jobNotFound();
  return job;
}

function describeRoutes(routes: JobRoutes) {
  return { ...describeReads(routes), ...describeActions(routes) };
}

function describeReads({ kind, path, tag, schema }: JobRoutes) {
  const common = { 'x-role': 'operator' as const, tags: [tag], method: 'get' as const };
  return {
    list: createRoute({
      ...common,
      path,
      operationId: `list${nameOf(kind)}Jobs`,
      summary: `List ${kind} jobs, newest first`,
      request: { query: pageOfIds(kind) },
      responses: {
        200: {
          description: 'One page.',
          content: { 'application/json': { schema: listOf(schema) } },
        },
        ...problems(),
      },
    }),
    show: createRoute({
      ...common,
      path: `${path}/{id}`,
      operationId: `get${nameOf(kind)}Job`,
      summary: `Show a ${kind} job, or stream its progress (\`Accept: text/event-stream\`)`,
      description:
        'A stream has the job as a message `progress` at once and whenever it has changed. It ends after 15 minutes; a new one begins with the job as it is then.',
      request: { params: jobParam },
      responses: {
        200: {
          description: 'The job.',
          content: { 'application/json': { schema }, ...progressContent },
        },
        ...problems('job_not_found', 'too_many_streams'),
      },
    }),
  };
}

function describeActions({ kind, path, tag, schema }: JobRoutes) {
  const common = {
    'x-role': 'operator' as const,
    tags: [tag],
    method: 'post' as const,
    request: { params: jobParam },
  };
  const content = { 'application/json': { schema } };
  return {
    cancel: createRoute({
      ...common,
      path: `${path}/{id}/cancel`,
      operationId: `cancel${nameOf(kind)}Job`,
      summary: `Cancel a ${kind} job`,
      description: 'The running batch is finished first. Safe to repeat.',
      responses: {
        202: { description: 'Cancelled, or `cancelling`.', content },
        ...problems('job_not_found', 'job_ended'),
      },
    }),
    resume: createRoute({
      ...common,
      path: `${path}/{id}/resume`,
      operationId: `resume${nameOf(kind)}Job`,
      summary: `Resume a ${kind} job that failed or was cancelled, after its last batch`,
      responses: {
        202: { description: 'Queued.', content },
        ...problems('job_not_found', 'job_not_resumable'),
      },
    }),
  };
}

/** `Report` */
function nameOf(kind: JobKind): string {
  return `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`;
}

function jobNotFound(): ProblemError {
  return new ProblemError({ code: 'job_not_found', detail: 'No job of this kind has this id.' });
}

function notOpen({ status }: Job): ProblemError {
  return new ProblemError({ code: 'job_ended', detail: `The job has ${status}.` });
}

function notResumable({ status }: Job): ProblemError {
  const detail =
    status === 'cancelled'
      ? 'The job was cancelled before it began. Request it again.'
      : `The job is ${status.replaceAll('_', ' ')}; only one that failed or was cancelled can be resumed.`;
  return new ProblemError({ code: 'job_not_resumable', detail });
}

function tooManyJobs(): Problem {
  const detail = `At most ${MAX_OPEN_JOBS} jobs may be open. Wait until one has ended, or cancel one.`;
  return { code: 'too_many_jobs', detail };
}
