/** Routes of webhook endpoints. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { z } from 'zod';
import { deleteEndpoint, listEndpoints } from '../../prisma/events/webhook-endpoints.ts';
import { claimOf } from '../http/idempotency-key.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { ProblemError } from '../http/problems.ts';
import { idIn, onInvalid, sendStored } from '../http/respond.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import {
  changeEndpointBody,
  createdEndpointSchema,
  createEndpointBody,
  endpointListQuery,
  endpointListSchema,
  endpointParam,
  endpointSchema,
  rotatedSecretSchema,
} from '../schemas/webhooks.ts';
import { responseHeaders } from '../schemas/conditions.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';
import {
  addEndpoint,
  editEndpoint,
  endpointBody,
  loadEndpoint,
  endpointNotFound,
  renewSecret,
} from '../events/webhook-endpoints.ts';

export function webhookEndpointRoutes(services: Services) {
  const { db } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(createEndpointRoute, async (c) => {
      const body = c.req.valid('json');
      const key = c.req.valid('header')['idempotency-key'];
      const scope = 'POST /v1/webhook-endpoints';
      const claim = claimOf({ apiKeyId: c.var.apiKey.id, scope, key, body });
      const outcome = await addEndpoint(services, claim, { ...body, by: operatorOf(c) });
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      c.header('location', `/v1/webhook-endpoints/${idIn(outcome.response.body)}`);
      return sendStored<201, typeof createdEndpointSchema>(c, outcome.response, outcome.replayed);
    })
    .openapi(listRoute, async (c) => {
      const { limit, starting_after: startingAfter } = c.req.valid('query');
      const { endpoints, hasMore } = await listEndpoints(db, { limit, startingAfter });
      const url = '/v1/webhook-endpoints';
      const data = endpoints.map(endpointBody);
      return c.json({ object: 'list' as const, url, data, has_more: hasMore }, 200);
    })
    .openapi(showRoute, async (c) =>
      c.json(endpointBody(await loadEndpoint(db, c.req.valid('param').id)), 200),
    )
    .openapi(changeRoute, async (c) => {
      const change = { ...c.req.valid('json'), by: operatorOf(c) };
      const changed = await editEndpoint(services, c.req.valid('param').id, change);
      return c.json(endpointBody(changed), 200);
    })
    .openapi(deleteRoute, async (c) => {
      const deleted = await deleteEndpoint(db, c.req.valid('param').id, operatorOf(c));
      if (!deleted) throw endpointNotFound();
      return c.body(null, 204);
    })
    .openapi(rotateRoute, async (c) => {
      const { id } = c.req.valid('param');
      const key = c.req.valid('header')['idempotency-key'];
      const scope = `POST /v1/webhook-endpoints/${id}/rotate-secret`;
      const claim = claimOf({ apiKeyId: c.var.apiKey.id, scope, key, body: {} });
      const outcome = await renewSecret(services, claim, { id, by: operatorOf(c) });
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      return sendStored<200, typeof rotatedSecretSchema>(c, outcome.response, outcome.replayed);
    });
}

const tags = ['Webhooks'];
const json = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { 'application/json': { schema } },
});
const body = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { 'application/json': { schema } },
});

const createEndpointRoute = createRoute({
  method: 'post',
  path: '/v1/webhook-endpoints',
  operationId: 'createWebhookEndpoint',
  'x-role': 'operator',
  tags,
  summary: 'Create an endpoint; it receives new events',
  request: { headers: idempotencyHeader, body: body(createEndpointBody) },
  responses: {
    201: {
      ...json('Created, with the secret, which no other call shows.', createdEndpointSchema),
      headers: responseHeaders('Location'),
    },
    ...problems('too_many_endpoints'),
  },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/webhook-endpoints',
  operationId: 'listWebhookEndpoints',
  'x-role': 'operator',
  tags,
  summary: 'List endpoints, newest first',
  request: { query: endpointListQuery },
  responses: { 200: json('One page.', endpointListSchema), ...problems() },
});

const showRoute = createRoute({
  method: 'get',
  path: '/v1/webhook-endpoints/{id}',
  operationId: 'getWebhookEndpoint',
  'x-role': 'operator',
  tags,
  summary: 'Show an endpoint',
  request: { params: endpointParam },
  responses: { 200: json('The endpoint.', endpointSchema), ...problems('endpoint_not_found') },
});

const changeRoute = createRoute({
  method: 'patch',
  path: '/v1/webhook-endpoints/{id}',
  operationId: 'updateWebhookEndpoint',
  'x-role': 'operator',
  tags,
  summary: 'Change the URL, types or status of an endpoint',
  request: { params: endpointParam, body: body(changeEndpointBody) },
  responses: { 200: json('Changed.', endpointSchema), ...problems('endpoint_not_found') },
});

const deleteRoute = createRoute({
  method: 'delete',
  path: '/v1/webhook-endpoints/{id}',
  operationId: 'deleteWebhookEndpoint',
  'x-role': 'operator',
  tags,
  summary: 'Delete an endpoint and its deliveries',
  request: { params: endpointParam },
  responses: { 204: { description: 'Deleted.' }, ...problems('endpoint_not_found') },
});

const rotateRoute = createRoute({
  method: 'post',
  path: '/v1/webhook-endpoints/{id}/rotate-secret',
  operationId: 'rotateWebhookSecret',
  'x-role': 'operator',
  tags,
  summary: 'Rotate the secret; both secrets sign for a day',
  request: { params: endpointParam, headers: idempotencyHeader },
  responses: {
    200: json('The new secret.', rotatedSecretSchema),
    ...problems('endpoint_not_found'),
  },
});
