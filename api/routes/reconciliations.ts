/** Routes of reconciliations: thin handlers over operations/reconciliations.ts and the queries. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
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
import { idIn, onInvalid, sendStored } from '../http/respond.ts';
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
      const request = { scope: body.scope ?? 'recent', by: operatorOf(c) };
      const outcome = await startReconciliation(services, claim, request);
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      c.header('location', `/v1/reconciliations/${idIn(outcome.response.body)}`);
      return sendStored<202, typeof reconciliationSchema>(c, outcome.response, outcome.replayed);
    });
}

const tags = ['Reconciliations'];
/** More discrepancies mean an outage rather than a list to read. */
const MAX_DISCREPANCIES = 1_000;

const listRoute = createRoute({
  method: 'get',
  path: '/v1/reconciliations',
  tags,
  summary: 'List reconciliations, newest first',
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
  summary: 'Show a reconciliation with its discrepancies',
  middleware: [requireRole('operator')] as const,
  request: { params: reconciliationParam },
  responses: {
    200: {
      description:
        'The run and its discrepancies: new, seen again and resolved; open ones first, at most 1,000.',
      content: { 'application/json': { schema: reconciliationViewSchema } },
    },
    ...problemResponses,
  },
});

const startRoute = createRoute({
  method: 'post',
  path: '/v1/reconciliations',
  tags,
  summary: "Start a reconciliation of our records with the providers'",
  description: 'Only one run is active at a time. If one is running, the response is that run.',
  middleware: [requireRole('operator'), withoutEmptyBody()] as const,
  request: {
    headers: idempotencyHeader,
    body: { required: false, content: { 'application/json': { schema: reconcileBody } } },
  },
  responses: {
    202: {
      description: 'Accepted. It runs once Temporal is available. `Location` is the report.',
      content: { 'application/json': { schema: reconciliationSchema } },
    },
    ...problemResponses,
  },
});

function notFound(): ProblemError {
  const detail = 'No reconciliation has this id.';
  return new ProblemError({ code: 'reconciliation_not_found', detail });
}
