/** Routes of reconciliations: thin handlers over operations/reconciliations.ts and the queries. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { inSnapshot } from '../../prisma/client/client.ts';
import { listDiscrepanciesOf } from '../../prisma/operations/discrepancies.ts';
import {
  findReconciliation,
  listReconciliations,
} from '../../prisma/operations/reconciliation-runs.ts';
import { claimOf } from '../http/idempotency-key.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { ProblemError } from '../http/problems.ts';
import {
  discrepancyBody,
  reconciliationBody,
  startReconciliation,
} from '../operations/reconciliations.ts';
import { idIn, onInvalid, sendStored } from '../http/respond.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import {
  reconcileBody,
  reconciliationListQuery,
  reconciliationListSchema,
  reconciliationParam,
  reconciliationSchema,
  reconciliationViewSchema,
} from '../schemas/reconciliations.ts';
import { responseHeaders } from '../schemas/conditions.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

export function reconciliationRoutes(services: Services) {
  const { db } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(listRoute, async (c) => {
      const { limit, starting_after: startingAfter } = c.req.valid('query');
      const { runs, hasMore } = await listReconciliations(db, { limit, startingAfter });
      const data = runs.map(reconciliationBody);
      const url = '/v1/reconciliations';
      return c.json({ object: 'list' as const, url, data, has_more: hasMore }, 200);
    })
    .openapi(showRoute, async (c) => {
      const { id } = c.req.valid('param');
      const [run, discrepancies] = await inSnapshot(db, async (tx) => [
        await findReconciliation(tx, id),
        await listDiscrepanciesOf(tx, id, MAX_DISCREPANCIES),
      ]);
      if (run === null) throw notFound();
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
  operationId: 'listReconciliations',
  'x-role': 'operator',
  tags,
  summary: 'List reconciliations, newest first',
  request: { query: reconciliationListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: reconciliationListSchema } },
    },
    ...problems(),
  },
});

const showRoute = createRoute({
  method: 'get',
  path: '/v1/reconciliations/{id}',
  operationId: 'getReconciliation',
  'x-role': 'operator',
  tags,
  summary: 'Show a reconciliation with its discrepancies',
  request: { params: reconciliationParam },
  responses: {
    200: {
      description:
        'The run and its discrepancies: new, seen again and resolved; open ones first, at most 1,000.',
      content: { 'application/json': { schema: reconciliationViewSchema } },
    },
    ...problems('reconciliation_not_found'),
  },
});

const startRoute = createRoute({
  method: 'post',
  path: '/v1/reconciliations',
  operationId: 'startReconciliation',
  'x-role': 'operator',
  tags,
  summary: "Start a reconciliation of our records with the providers'",
  description: 'Only one run is active at a time. If one is running, the response is that run.',
  request: {
    headers: idempotencyHeader,
    body: { required: false, content: { 'application/json': { schema: reconcileBody } } },
  },
  responses: {
    202: {
      description: 'Accepted. It runs once Temporal is available. `Location` is the report.',
      headers: responseHeaders('Location'),
      content: { 'application/json': { schema: reconciliationSchema } },
    },
    ...problems(),
  },
});

function notFound(): ProblemError {
  const detail = 'No reconciliation has this id.';
  return new ProblemError({ code: 'reconciliation_not_found', detail });
}
