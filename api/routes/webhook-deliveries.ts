/** Routes of webhook deliveries: list, redeliver, test. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { WebhookAttempt } from '../../domain/webhook.ts';
import { listAttempts } from '../../prisma/events/webhook-attempts.ts';
import type { ApiEnv } from '../middleware/request.ts';
import { onInvalid } from '../http/respond.ts';
import {
  deliveryListQuery,
  deliveryListSchema,
  endpointParam,
  redeliverBody,
  redeliverySchema,
  testResultSchema,
} from '../schemas/webhooks.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';
import { redeliverEvent, redeliverRange, sendTest } from '../events/webhook-deliveries.ts';
import { loadEndpoint } from '../events/webhook-endpoints.ts';

export function webhookDeliveryRoutes(services: Services) {
  const { db } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(listRoute, async (c) => {
      const { id } = await loadEndpoint(db, c.req.valid('param').id);
      const { limit, starting_after: after, event_id: eventId } = c.req.valid('query');
      const startingAfter = after === undefined ? undefined : BigInt(after);
      const page = await listAttempts(db, { endpointId: id, eventId }, { limit, startingAfter });
      const data = page.attempts.map((attempt) => ({
        id: attempt.id,
        object: 'webhook_delivery' as const,
        event_id: attempt.eventId,
        event_type: attempt.eventType,
        ...attemptBody(attempt),
        attempted_at: attempt.attemptedAt,
      }));
      const url = `/v1/webhook-endpoints/${id}/deliveries`;
      return c.json({ object: 'list' as const, url, data, has_more: page.hasMore }, 200);
    })
    .openapi(redeliverRoute, async (c) => {
      const endpoint = await loadEndpoint(db, c.req.valid('param').id);
      const { event_id: eventId = '', from, to } = c.req.valid('json');
      const range = from !== undefined && to !== undefined ? { from, to } : null;
      const { requested, nextFrom } = range
        ? await redeliverRange(services, endpoint, range)
        : await redeliverEvent(services, endpoint, eventId);
      return c.json(
        {
          object: 'webhook_redelivery' as const,
          endpoint_id: endpoint.id,
          requested,
          has_more: nextFrom !== null,
          next_from: nextFrom,
        },
        202,
      );
    })
    .openapi(testRoute, async (c) => {
      const attempt = await sendTest(services, c.req.valid('param').id);
      const object = 'webhook_test' as const;
      return c.json({ object, event_id: attempt.eventId, ...attemptBody(attempt) }, 200);
    });
}

const tags = ['Webhooks'];

const listRoute = createRoute({
  method: 'get',
  path: '/v1/webhook-endpoints/{id}/deliveries',
  operationId: 'listWebhookDeliveries',
  'x-role': 'operator',
  tags,
  summary: 'List delivery attempts, newest first',
  request: { params: endpointParam, query: deliveryListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: deliveryListSchema } },
    },
    ...problems('endpoint_not_found'),
  },
});

const redeliverRoute = createRoute({
  method: 'post',
  path: '/v1/webhook-endpoints/{id}/redeliver',
  operationId: 'redeliverEvents',
  'x-role': 'operator',
  tags,
  summary: 'Redeliver one event, or all events in a time range',
  request: {
    params: endpointParam,
    body: { required: true, content: { 'application/json': { schema: redeliverBody } } },
  },
  responses: {
    202: {
      description: 'The redelivery has started. The events keep their ids.',
      content: { 'application/json': { schema: redeliverySchema } },
    },
    ...problems(
      'endpoint_not_found',
      'event_not_found',
      'endpoint_disabled',
      'delivery_unavailable',
    ),
  },
});

const testRoute = createRoute({
  method: 'post',
  path: '/v1/webhook-endpoints/{id}/test',
  operationId: 'testWebhookEndpoint',
  'x-role': 'operator',
  tags,
  summary: 'Send a signed test event now',
  request: { params: endpointParam },
  responses: {
    200: {
      description: 'The result.',
      content: { 'application/json': { schema: testResultSchema } },
    },
    ...problems('endpoint_not_found'),
  },
});

function attemptBody(attempt: Omit<WebhookAttempt, 'id' | 'attemptedAt'>) {
  return {
    outcome: attempt.outcome,
    status: attempt.status,
    latency_ms: attempt.latencyMs,
    error: attempt.error,
    response: attempt.response,
  };
}
