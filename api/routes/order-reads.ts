/** Read routes of orders: thin handlers over order-view.ts and the queries. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import { listOrderEventsAfter } from '../../prisma/events/order-timeline.ts';
import { listOrders } from '../../prisma/orders/orders.ts';
import { alreadyHas, versionTag } from '../http/etag.ts';
import { timelinePosition, timelineSource } from '../events/event-feed.ts';
import { requireRole, type ApiEnv } from '../middleware/request.ts';
import { parseOrderId, loadOrder } from '../orders/load-order.ts';
import { MAX_EVENTS, viewOrder } from '../orders/order-view.ts';
import { waitPreference } from '../http/prefer.ts';
import { ProblemError } from '../http/problems.ts';
import { orderBody, timelineEntryBody } from '../orders/representations.ts';
import { onInvalid } from '../http/respond.ts';
import { problemResponses } from '../schemas/common.ts';
import { ifNoneMatch, lastEventId, prefer } from '../schemas/conditions.ts';
import { streamContent, timelineQuery } from '../schemas/events.ts';
import {
  orderListQuery,
  orderListSchema,
  orderParam,
  orderViewSchema,
  timelineSchema,
} from '../schemas/orders.ts';
import type { Services } from '../context.ts';
import { invalidCursor, resumeCursor, streamResponse, wantsStream } from '../http/sse-response.ts';

export function orderReadRoutes(services: Services) {
  const { db, waiters } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(showRoute, async (c) => {
      const id = parseOrderId(c.req.valid('param').id);
      c.set('orderId', id);
      const waitSeconds = waitPreference(c.req.header('prefer'));
      if (waitSeconds !== null) {
        const limits = { waitMs: waitSeconds * 1_000, signal: c.req.raw.signal };
        await c.var.releaseWhileWaiting(() => waiters.untilSettled(id, limits));
        c.header('preference-applied', `wait=${waitSeconds}`);
      }
      const order = await loadOrder(db, id);
      const tag = versionTag(order.version);
      c.header('cache-control', 'private, no-cache');
      if (alreadyHas(c.req.header('if-none-match'), tag)) {
        return c.body(null, 304, { etag: tag });
      }
      const isOperator = c.var.apiKey.role !== 'storefront';
      const view = await viewOrder(services, order, { isOperator });
      // Without an ETag, because a later 304 would confirm the incomplete view.
      if (view.warnings.length === 0) c.header('etag', tag);
      return c.json(view, 200);
    })
    .openapi(listRoute, async (c) => {
      const { limit, starting_after: after, ...filter } = c.req.valid('query');
      const startingAfter = after === undefined ? undefined : parseStartingAfter(after);
      const { orders, hasMore } = await listOrders(
        db,
        { status: filter.status, email: filter.email, createdAfter: filter.created_after },
        { limit, startingAfter },
      );
      c.header('cache-control', 'no-store');
      const data = orders.map(orderBody);
      return c.json({ object: 'list' as const, url: '/v1/orders', data, has_more: hasMore }, 200);
    })
    .openapi(timelineRoute, async (c) => {
      const id = parseOrderId(c.req.valid('param').id);
      c.set('orderId', id);
      await loadOrder(db, id);
      const stream = wantsStream(c);
      const { after } = c.req.valid('query');
      const cursor = (stream ? resumeCursor(c, after) : after) ?? TIMELINE_START;
      const seq = await timelinePosition(db, id, cursor);
      if (seq === null) throw invalidCursor();
      if (stream) {
        const source = timelineSource(db, id, seq);
        return streamResponse(c, services.timelineStreams.open(source, c.req.raw.signal));
      }
      const found = await listOrderEventsAfter(db, id, { seq, limit: MAX_EVENTS + 1 });
      c.header('cache-control', 'no-store');
      const url = `/v1/orders/${id}/timeline`;
      const data = found.slice(0, MAX_EVENTS).map(timelineEntryBody);
      const hasMore = found.length > MAX_EVENTS;
      return c.json({ object: 'list' as const, url, data, has_more: hasMore }, 200);
    });
}

const tags = ['Orders'];
/** The position before the first event, whose sequence number is 1. */
const TIMELINE_START = '0';

const showRoute = createRoute({
  method: 'get',
  path: '/v1/orders/{id}',
  tags,
  summary: 'Show an order, or wait until it is settled (`Prefer: wait=N`)',
  middleware: [requireRole('storefront')] as const,
  request: { params: orderParam, headers: z.object({ ...prefer, ...ifNoneMatch }) },
  responses: {
    200: {
      description: 'The order with payment, shipment, refunds and timeline.',
      content: { 'application/json': { schema: orderViewSchema } },
    },
    304: { description: 'Not modified.' },
    ...problemResponses,
  },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/orders',
  tags,
  summary: 'List orders, newest first',
  middleware: [requireRole('operator')] as const,
  request: { query: orderListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: orderListSchema } },
    },
    ...problemResponses,
  },
});

const timelineRoute = createRoute({
  method: 'get',
  path: '/v1/orders/{id}/timeline',
  tags,
  summary: 'List the events of an order, or stream them (`Accept: text/event-stream`)',
  middleware: [requireRole('storefront')] as const,
  request: { params: orderParam, query: timelineQuery, headers: z.object(lastEventId) },
  responses: {
    200: {
      description:
        'The events, oldest first, at most 500. If `has_more` is true, continue with the last `seq` ' +
        'as `after`.',
      content: { 'application/json': { schema: timelineSchema }, ...streamContent },
    },
    ...problemResponses,
  },
});

function parseStartingAfter(text: string): OrderId {
  if (isOrderId(text)) return text;
  const errors = [{ detail: 'Not an order id.', parameter: 'starting_after' }];
  throw new ProblemError({
    code: 'invalid_request',
    detail: 'Send the id of the last order of the previous page.',
    errors,
  });
}
