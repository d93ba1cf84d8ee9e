/** Read routes of orders: thin handlers over order-view.ts and the queries. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { countOrders, listOrders, MAX_MATCHES } from '../../prisma/orders/list-orders.ts';
import { listOrderEvents } from '../../prisma/orders/orders.ts';
import { countRetriedOrders } from '../../prisma/orders/retried-steps.ts';
import { contentTag } from '../http/etag.ts';
import { invalidRequest, ProblemError } from '../http/problems.ts';
import { timelinePosition, timelineSource } from '../events/event-feed.ts';
import { clientOf, type ApiEnv } from '../middleware/request.ts';
import { loadOrder, orderNotFound, parseOrderId } from '../orders/load-order.ts';
import { MAX_EVENTS, viewOrder } from '../orders/order-view.ts';
import { waitPreference } from '../http/prefer.ts';
import { countsBody, orderBody } from '../orders/representations.ts';
import { timelineView } from '../orders/timeline.ts';
import { onInvalid } from '../http/respond.ts';
import { ifNoneMatch, notModified, prefer, responseHeaders } from '../schemas/conditions.ts';
import { streamContent, timelineHeaders, timelineQuery } from '../schemas/events.ts';
import { orderCountsSchema, orderListQuery } from '../schemas/order-lists.ts';
import { orderListSchema, orderParam, orderViewSchema, timelineSchema } from '../schemas/orders.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';
import { cursorNotFound, resumeCursor, streamResponse, wantsStream } from '../http/sse-response.ts';

export function orderReadRoutes(services: Services) {
  const { db, waiters } = services;
  return (
    new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
      // Before the order whose id would be `counts`.
      .openapi(countsRoute, async (c) => {
        const counted = await Promise.all([countOrders(db), countRetriedOrders(db)]);
        return c.json(countsBody(...counted), 200);
      })
      .openapi(showRoute, async (c) => {
        const id = parseOrderId(c.req.valid('param').id);
        c.set('orderId', id);
        const waitSeconds = waitPreference(c.req.header('prefer'));
        if (waitSeconds !== null) {
          const limits = { ...clientOf(c), waitMs: waitSeconds * 1_000 };
          const wait = () => waiters.untilSettled(id, limits);
          const hasWaited = await c.var.releaseWhileWaiting(wait);
          if (hasWaited) c.header('preference-applied', `wait=${waitSeconds}`);
        }
        const view = await viewOrder(services, id, readerOf(c));
        if (view === null) throw orderNotFound();
        // Not of the version, which is the same with other tracking and for another role.
        c.header('etag', contentTag(JSON.stringify(view)));
        c.header('cache-control', 'private, no-cache');
        c.header('vary', 'Authorization');
        return c.json(view, 200);
      })
      .openapi(listRoute, async (c) => {
        const { orders, hasMore } = await pageOf(services, c.req.valid('query'));
        const data = orders.map(orderBody);
        return c.json({ object: 'list' as const, url: '/v1/orders', data, has_more: hasMore }, 200);
      })
      .openapi(timelineRoute, async (c) => {
        const id = parseOrderId(c.req.valid('param').id);
        c.set('orderId', id);
        const order = await loadOrder(db, id);
        const view = timelineView(readerOf(c));
        const stream = wantsStream(c);
        const cursor = resumeCursor(c, c.req.valid('query').after, stream);
        const after = cursor === null ? 0 : await timelinePosition(db, order, cursor.text);
        if (after === null) throw cursorNotFound(cursor);
        if (stream) {
          const source = timelineSource(db, id, { after, view });
          return streamResponse(c, services.timelineStreams.open(source, clientOf(c)));
        }
        const { types } = view;
        const found = await listOrderEvents(db, id, { after, types, limit: MAX_EVENTS + 1 });
        const url = `/v1/orders/${id}/timeline`;
        const data = found.slice(0, MAX_EVENTS).map(view.entry);
        const hasMore = found.length > MAX_EVENTS;
        return c.json({ object: 'list' as const, url, data, has_more: hasMore }, 200);
      })
  );
}

function readerOf(c: Context<ApiEnv>) {
  return { isOperator: c.var.apiKey.role !== 'storefront' };
}

const tags = ['Orders'];

const showRoute = createRoute({
  method: 'get',
  path: '/v1/orders/{id}',
  operationId: 'getOrder',
  'x-role': 'storefront',
  tags,
  summary: 'Show an order, or wait until it is settled (`Prefer: wait=N`)',
  request: { params: orderParam, headers: z.object({ ...prefer, ...ifNoneMatch }) },
  responses: {
    200: {
      description: 'The order with payment, shipment, refunds and timeline.',
      headers: responseHeaders('ETag', 'Cache-Control', 'Preference-Applied'),
      content: { 'application/json': { schema: orderViewSchema } },
    },
    ...notModified,
    ...problems('order_not_found'),
  },
});

const countsRoute = createRoute({
  method: 'get',
  path: '/v1/orders/counts',
  operationId: 'countOrders',
  'x-role': 'operator',
  tags,
  summary: 'Count orders by status',
  responses: {
    200: {
      description: 'The numbers of now.',
      content: { 'application/json': { schema: orderCountsSchema } },
    },
    ...problems(),
  },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/orders',
  operationId: 'listOrders',
  'x-role': 'operator',
  tags,
  summary: 'List orders, newest first',
  request: { query: orderListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: orderListSchema } },
    },
    ...problems(),
  },
});

const timelineRoute = createRoute({
  method: 'get',
  path: '/v1/orders/{id}/timeline',
  operationId: 'listOrderEvents',
  'x-role': 'storefront',
  tags,
  summary: 'List the events of an order, or stream them (`Accept: text/event-stream`)',
  request: { params: orderParam, query: timelineQuery, headers: timelineHeaders },
  responses: {
    200: {
      description:
        'The events, oldest first, at most 500. If `has_more` is true, continue with the last `seq` ' +
        'as `after`.',
      content: { 'application/json': { schema: timelineSchema }, ...streamContent },
    },
    ...problems('order_not_found', 'event_not_found', 'too_many_streams'),
  },
});

async function pageOf({ db }: Services, query: z.output<typeof orderListQuery>) {
  const { limit, starting_after: startingAfter, q: search, status: statuses, email } = query;
  const { created_after: createdAfter, updated_before: updatedBefore } = query;
  const isRetrying = query.retrying !== undefined;
  const hasOpenCase = query.payment_case !== undefined;
  const filter = { search, statuses, email, createdAfter, updatedBefore, isRetrying, hasOpenCase };
  const listed = await listOrders(db, filter, { limit, startingAfter });
  if (listed.kind === 'too_many') throw tooManyMatches();
  return listed;
}

function tooManyMatches(): ProblemError {
  const most = MAX_MATCHES.toLocaleString('en-US');
  const detail = `More than ${most} orders match. Write more of it, or give the whole address as \`email\`.`;
  return new ProblemError(invalidRequest([{ detail, parameter: 'q' }]));
}
