/** Routes of refunds: thin handlers over refund-order.ts and the queries. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { isRefundId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import { findRefund, pageRefunds } from '../../prisma/payments/refunds.ts';
import { claimOf } from '../http/idempotency-key.ts';
import type { ApiEnv } from '../middleware/request.ts';
import { offStep } from '../orders/amounts.ts';
import { jsonPointer } from '../http/validation.ts';
import { parseOrderId, loadOrder } from '../orders/load-order.ts';
import { invalidRequest, ProblemError } from '../http/problems.ts';
import { refundOrder } from '../orders/refund-order.ts';
import { refundBody } from '../orders/representations.ts';
import { idIn, onInvalid, sendStored } from '../http/respond.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import { orderParam } from '../schemas/orders.ts';
import {
  refundListQuery,
  refundListSchema,
  refundOrderBody,
  refundParam,
  refundSchema,
} from '../schemas/refunds.ts';
import { responseHeaders } from '../schemas/conditions.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

export function refundRoutes(services: Services) {
  const { db } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(refundRoute, async (c) => {
      const order = await loadOrder(db, c.req.valid('param').id);
      c.set('orderId', order.id);
      const body = c.req.valid('json');
      const stepMinor = requireStep(services, order, body.amount_minor);
      const key = c.req.valid('header')['idempotency-key'];
      const { apiKey, correlationId } = c.var;
      const scope = `POST /v1/orders/${order.id}/refunds`;
      const outcome = await refundOrder(services, order, {
        amountMinor: body.amount_minor ?? null,
        byLines: body.lines && { lines: body.lines, stepMinor },
        to: body.to,
        reason: body.reason,
        actor: apiKey.id,
        claim: claimOf({ apiKeyId: apiKey.id, scope, key, body }),
        correlationId,
      });
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      c.header('location', `/v1/refunds/${idIn(outcome.response.body)}`);
      return sendStored<202, typeof refundSchema>(c, outcome.response, outcome.replayed);
    })
    .openapi(listRoute, async (c) => {
      const id = parseOrderId(c.req.valid('param').id);
      c.set('orderId', id);
      const { limit, starting_after: startingAfter } = c.req.valid('query');
      const [, { refunds, hasMore }] = await Promise.all([
        loadOrder(db, id),
        pageRefunds(db, id, { limit, startingAfter }),
      ]);
      const url = `/v1/orders/${id}/refunds`;
      const data = refunds.map(refundBody);
      return c.json({ object: 'list' as const, url, data, has_more: hasMore }, 200);
    })
    .openapi(showRoute, async (c) => {
      const { id } = c.req.valid('param');
      const refund = isRefundId(id) ? await findRefund(db, id) : null;
      if (refund === null) {
        throw new ProblemError({ code: 'refund_not_found', detail: 'No refund has this id.' });
      }
      c.set('orderId', refund.orderId);
      return c.json(refundBody(refund), 200);
    });
}

/**
 * An amount that the provider cannot count is refused here, not after the response. Returns what the
 * amounts of the currency are multiples of.
 */
function requireStep({ payments }: Services, order: Order, amountMinor = 0): number {
  const limits = payments.limitsOf(order.currency);
  const { currency } = order;
  const detail = limits === null ? null : offStep({ amountMinor, currency }, limits);
  if (detail === null) return limits?.stepMinor ?? 1;
  throw new ProblemError(invalidRequest([{ detail, pointer: jsonPointer(['amount_minor']) }]));
}

const tags = ['Refunds'];
const refundResponse = (description: string) => ({
  description,
  content: { 'application/json': { schema: refundSchema } },
});

const refundRoute = createRoute({
  method: 'post',
  path: '/v1/orders/{id}/refunds',
  operationId: 'refundOrder',
  'x-role': 'operator',
  tags,
  summary: 'Refund captured money: an amount, units of lines, or everything that is left',
  request: {
    params: orderParam,
    headers: idempotencyHeader,
    body: { required: true, content: { 'application/json': { schema: refundOrderBody } } },
  },
  responses: {
    202: {
      ...refundResponse(
        'Accepted. The refund is processed in the background. `Location` is the refund.',
      ),
      headers: responseHeaders('Location'),
    },
    ...problems('order_not_found', 'not_refundable', 'refund_exceeds_captured'),
  },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/orders/{id}/refunds',
  operationId: 'listOrderRefunds',
  'x-role': 'operator',
  tags,
  summary: "List an order's refunds, oldest first",
  request: { params: orderParam, query: refundListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: refundListSchema } },
    },
    ...problems('order_not_found'),
  },
});

const showRoute = createRoute({
  method: 'get',
  path: '/v1/refunds/{id}',
  operationId: 'getRefund',
  'x-role': 'operator',
  tags,
  summary: 'Show a refund',
  request: { params: refundParam },
  responses: { 200: refundResponse('The refund.'), ...problems('refund_not_found') },
});
