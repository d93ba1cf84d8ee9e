/** Bulk actions on orders and dead letters: requested after a dry run, and approved where the shop wants it. */
import { createRoute } from '@hono/zod-openapi';
import { approveJob } from '../../prisma/jobs/job-status.ts';
import { startJobAndMark } from '../../services/job-starter.ts';
import type { Services } from '../context.ts';
import { ProblemError } from '../http/problems.ts';
import { bulkDraft, selectItems } from '../jobs/bulk-draft.ts';
import { jobBody } from '../jobs/job-body.ts';
import { operatorOf } from '../middleware/request.ts';
import { bulkBody, bulkPreviewSchema } from '../schemas/bulk.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import { responseHeaders } from '../schemas/conditions.ts';
import { bulkSchema, jobParam } from '../schemas/jobs.ts';
import { problems } from '../schemas/problems.ts';
import { jobRoutes, loadJob, requestJob } from './jobs.ts';

const PATH = '/v1/bulk';
const TAG = 'Bulk actions';
const SAMPLES = 10;

export function bulkRoutes(services: Services) {
  const { db, cipher, starts, bulkApproval: needsApproval = false } = services;
  const routes = { kind: 'bulk', path: PATH, tag: TAG, schema: bulkSchema } as const;
  return jobRoutes(services, routes)
    .openapi(bulkRoute, async (c) => {
      const body = c.req.valid('json');
      if (!body.dry_run) {
        return requestJob<typeof bulkSchema>(services, c, {
          path: PATH,
          key: c.req.valid('header')['idempotency-key'],
          body,
          draft: async () => bulkDraft(body, await selectItems(db, body), { needsApproval }),
        });
      }
      const { ids, amounts } = await selectItems(db, body);
      const preview = {
        object: 'bulk_preview' as const,
        action: body.action,
        matching: ids.length,
        amounts: amounts.map(({ currency, amountMinor: amount_minor }) => ({
          currency,
          amount_minor,
        })),
        samples: ids.slice(0, SAMPLES),
      };
      return c.json(preview, 200);
    })
    .openapi(approveRoute, async (c) => {
      const { id } = await loadJob(services, 'bulk', c.req.valid('param').id);
      const outcome = await approveJob(db, operatorOf(c), id);
      if (outcome.kind !== 'approved') throw outcome.kind === 'own' ? ownJob() : notAwaiting();
      starts.begin(() => startJobAndMark(services, outcome.job), { job_id: id });
      return c.json({ ...jobBody(cipher, outcome.job), object: 'bulk' as const }, 202);
    });
}

const common = { 'x-role': 'operator' as const, tags: [TAG] };

const bulkRoute = createRoute({
  ...common,
  method: 'post',
  path: PATH,
  operationId: 'requestBulk',
  summary: 'Cancel or refund many orders, or redrive many dead letters',
  description:
    'The items are chosen now, at most 10,000. Each is then the call for it alone: one that is refused is ' +
    'in `errors.csv` with the reason, and the others continue.',
  request: {
    headers: idempotencyHeader,
    body: { required: true, content: { 'application/json': { schema: bulkBody } } },
  },
  responses: {
    200: {
      description: 'With `dry_run`: what would be done.',
      content: { 'application/json': { schema: bulkPreviewSchema } },
    },
    202: {
      description: 'Accepted, or waiting for approval. `Location` is its progress.',
      headers: responseHeaders('Location'),
      content: { 'application/json': { schema: bulkSchema } },
    },
    ...problems('too_many_jobs'),
  },
});

const approveRoute = createRoute({
  ...common,
  method: 'post',
  path: `${PATH}/{id}/approve`,
  operationId: 'approveBulk',
  summary: 'Approve a bulk action that another API key requested',
  request: { params: jobParam },
  responses: {
    202: {
      description: 'Queued.',
      content: { 'application/json': { schema: bulkSchema } },
    },
    ...problems('job_not_found', 'job_not_awaiting_approval'),
  },
});

function ownJob(): ProblemError {
  const detail = 'Another API key than the one that requested the action must approve it.';
  return new ProblemError({ code: 'forbidden', detail });
}

function notAwaiting(): ProblemError {
  const detail = 'The action does not wait for approval. Read its status.';
  return new ProblemError({ code: 'job_not_awaiting_approval', detail });
}
