/** Reconciliations over HTTP: thin handlers over reconciliations.ts and the queries. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { listDiscrepanciesOf } from '../../prisma/operations/discrepancies.ts';
import {
  findReconciliation,
  listReconciliations,
} from '../../prisma/operations/reconciliation-runs.ts';
import { claimOf } from '../http/idempotency-key.ts';
import { requireRole, operatorOf, withoutEmptyBody, type ApiEnv } from '../middleware/request.ts';
import { ProblemError } from '../http/problems.ts';
import {
  discrepancyBody,
  reconciliationBody,
  startReconciliation,
} from '../operations/reconciliations.ts';
import { onInvalid, sendStored } from '../http/respond.ts';
import { idempotencyHeader, pageQuery, problemResponses } from '../schemas/common.ts';
import {
  reconcileBody,
  reconciliationListSchema,
  reconciliationParam,
  reconciliationSchema,
  reconciliationViewSchema,
} from '../schemas/reconciliations.ts';
import type { Services } from '../context.ts';

export function reconciliationRoutes(services: Services) {
  const { db } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(listRoute, async (c) => {
      const { limit, starting_after: startingAfter } = c.req.valid('query');
      const { runs, hasMore } = await listReconciliations(db, { limit, startingAfter });
      c.header('cache-control', 'no-store');
      const data = runs.map(reconciliationBody);
      const url = '/v1/reconciliations';
      return c.json({ object: 'list' as const, url, data, has_more: hasMore }, 200);
    })
    .openapi(showRoute, async (c) => {
      const run = await findReconciliation(db, c.req.valid('param').id);
      if (run === null) throw notFound();
      const discrepancies = await listDiscrepanciesOf(db, run.id, MAX_DISCREPANCIES);
      c.header('cache-control', 'no-store');
      return c.json(
        { ...reconciliationBody(run), discrepancies: discrepancies.map(discrepancyBody) },
        200,
      );
    })
    .openapi(startRoute, async (c) => {
      const body = c.req.valid('json');
      const key = c.req.valid('header')['idempotency-key'];
      const scope = 'POST /v1/reconciliations';
      const claim = claimOf({ apiKeyId: c.var.apiKey.id, scope, key, body });
      const wanted = { scope: body.scope ?? 'recent', by: operatorOf(c) };
      const outcome = await startReconciliation(services, claim, wanted);
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      c.header('location', `/v1/reconciliations/${idIn(outcome.answer.body)}`);
      return sendStored<202, typeof reconciliationSchema>(c, outcome.answer, outcome.replayed);
    });
}

const tags = ['Reconciliations'];
/** More than these is no list to read but an outage to find. */
const MAX_DISCREPANCIES = 1_000;

const listRoute = createRoute({
  method: 'get',
  path: '/v1/reconciliations',
  tags,
  summary: "List the comparisons of our books with the providers', newest first",
  middleware: [requireRole('operator')] as const,
  request: { query: pageQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: reconciliationListSchema } },
    },
    ...problemResponses,
  },
});

const showRoute = createRoute({
  method: 'get',
  path: '/v1/reconciliations/{id}',
  tags,
  summary: 'Show a comparison with what it found, saw again, or found gone',
  middleware: [requireRole('operator')] as const,
  request: { params: reconciliationParam },
  responses: {
    200: {
      description: 'The run and its discrepancies, the open ones first; at most 1,000.',
      content: { 'application/json': { schema: reconciliationViewSchema } },
    },
    ...problemResponses,
  },
});

const startRoute = createRoute({
  method: 'post',
  path: '/v1/reconciliations',
  tags,
  summary: "Compare our books with the providers' now",
  description: 'There is one run at a time: while one is under way, another key is given that one.',
  middleware: [requireRole('operator'), withoutEmptyBody()] as const,
  request: {
    headers: idempotencyHeader,
    body: { required: false, content: { 'application/json': { schema: reconcileBody } } },
  },
  responses: {
    202: {
      description: 'Accepted: it runs as soon as Temporal is there. Location has the report.',
      content: { 'application/json': { schema: reconciliationSchema } },
    },
    ...problemResponses,
  },
});

function notFound(): ProblemError {
  const detail = 'No reconciliation has this id.';
  return new ProblemError({ code: 'reconciliation_not_found', detail });
}

const identified = z.object({ id: z.string() });
function idIn(answer: string): string {
  return identified.parse(JSON.parse(answer)).id;
}
