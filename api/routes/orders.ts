/** Routes that place and cancel orders: thin handlers over place-order.ts and cancel-order.ts. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { startOf } from '../../prisma/orders/orders.ts';
import { confirmOrder } from '../orders/confirm-order.ts';
import { cancelOrder } from '../orders/cancel-order.ts';
import { claimOf } from '../http/idempotency-key.ts';
import type { ApiEnv } from '../middleware/request.ts';
import { loadOrder } from '../orders/load-order.ts';
import { placeOrder } from '../orders/place-order.ts';
import type { PlaceOrderOutcome } from '../orders/settle-order.ts';
import { ProblemError } from '../http/problems.ts';
import { INSPECTABLE, prefersInspectable } from '../http/prefer.ts';
import { onInvalid, sendStored } from '../http/respond.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import {
  cancelBody,
  cancelSchema,
  orderParam,
  placedOrderSchema,
  placeOrderBody,
} from '../schemas/orders.ts';
import { paymentActionSchema } from '../schemas/payments.ts';
import { preferInspectable, responseHeaders } from '../schemas/conditions.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

export function orderRoutes(services: Services) {
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(placeRoute, async (c) => {
      const body = c.req.valid('json');
      const key = c.req.valid('header')['idempotency-key'];
      const outcome = await placeOrder(services, {
        body,
        claim: claimOf({ apiKeyId: c.var.apiKey.id, scope: 'POST /v1/orders', key, body }),
        requestId: c.var.requestId,
        correlationId: c.var.correlationId,
        traceparent: c.var.traceparent,
        inspectable: prefersInspectable(c.req.valid('header').prefer),
        defaultLanguage: services.defaultLanguage,
        signal: c.var.requestDeadline,
      });
      followUp(services, outcome);
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      if (outcome.kind === 'action_required') return sendAction(c, outcome);
      const { response, orderId, placed, replayed } = outcome;
      c.set('orderId', orderId ?? undefined);
      if (response.status === 201 && orderId) c.header('location', `/v1/orders/${orderId}`);
      if (placed?.inspectable) c.header('preference-applied', INSPECTABLE);
      return sendStored<201, typeof placedOrderSchema>(c, response, replayed);
    })
    .openapi(confirmRoute, async (c) => {
      const order = await loadOrder(services.db, c.req.valid('param').id);
      c.set('orderId', order.id);
      const outcome = await confirmOrder(services, order);
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      if (outcome.kind === 'action_required') return sendAction(c, outcome);
      return sendStored<200, typeof placedOrderSchema>(c, outcome.response, false);
    })
    .openapi(cancelRoute, async (c) => {
      const order = await loadOrder(services.db, c.req.valid('param').id);
      c.set('orderId', order.id);
      const body = c.req.valid('json');
      const key = c.req.valid('header')['idempotency-key'];
      const { apiKey } = c.var;
      const outcome = await cancelOrder(services, order, {
        reason: apiKey.role === 'storefront' ? 'requested_by_customer' : 'requested_by_operator',
        claim: claimOf({
          apiKeyId: apiKey.id,
          scope: `POST /v1/orders/${order.id}/cancel`,
          key,
          body,
        }),
      });
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      return sendStored<202, typeof cancelSchema>(c, outcome.response, outcome.replayed);
    });
}

type ActionRequired = Extract<PlaceOrderOutcome, { kind: 'action_required' }>;

/** Nothing on the way may keep the payment's secret. */
function sendAction(c: Context<ApiEnv>, { orderId, body }: ActionRequired) {
  c.set('orderId', orderId);
  c.header('location', `/v1/orders/${orderId}`);
  c.header('cache-control', 'no-store');
  return c.json(body, 202);
}

const tags = ['Orders'];

const actionRequired = {
  description:
    'The shopper has to confirm the payment, as with 3-D Secure: hand `client_secret` to the page, then ' +
    'call `POST /v1/orders/{id}/confirm`. The units are held until `expires_at`. Not stored under the ' +
    'Idempotency-Key: a repeat gets the state as it is then.',
  headers: responseHeaders('Location'),
  content: { 'application/json': { schema: paymentActionSchema } },
};

const placeRoute = createRoute({
  method: 'post',
  path: '/v1/orders',
  operationId: 'placeOrder',
  'x-role': 'storefront',
  tags,
  summary: 'Place an order',
  request: {
    headers: idempotencyHeader.extend(preferInspectable),
    body: { required: true, content: { 'application/json': { schema: placeOrderBody } } },
  },
  responses: {
    201: {
      description: 'The units are held and the payment is authorized. `Location` is the order.',
      headers: responseHeaders('Location', 'Preference-Applied'),
      content: { 'application/json': { schema: placedOrderSchema } },
    },
    202: actionRequired,
    ...problems(
      'payment_declined',
      'payment_refused',
      'out_of_stock',
      'price_changed',
      'credit_insufficient',
      'order_expired',
      'payment_unavailable',
    ),
  },
});

const confirmRoute = createRoute({
  method: 'post',
  path: '/v1/orders/{id}/confirm',
  operationId: 'confirmOrder',
  'x-role': 'storefront',
  tags,
  summary: 'Get the outcome of a payment that the shopper has confirmed',
  description:
    'Looks the payment up and places, declines or expires the order. Safe to repeat: it changes nothing ' +
    "that the payment provider's webhook would not change as well.",
  request: { params: orderParam },
  responses: {
    200: {
      description: 'The order is placed: the body that `POST /v1/orders` sends with 201.',
      content: { 'application/json': { schema: placedOrderSchema } },
    },
    202: actionRequired,
    ...problems(
      'payment_declined',
      'not_found',
      'order_not_found',
      'request_in_flight',
      'order_expired',
      'payment_refused',
      'payment_unavailable',
    ),
  },
});

const cancelRoute = createRoute({
  method: 'post',
  path: '/v1/orders/{id}/cancel',
  operationId: 'cancelOrder',
  'x-role': 'storefront',
  tags,
  summary: 'Cancel an order',
  request: {
    params: orderParam,
    headers: idempotencyHeader,
    body: { required: false, content: { 'application/json': { schema: cancelBody } } },
  },
  responses: {
    202: {
      description: 'Accepted. Lists the compensations that will run.',
      content: { 'application/json': { schema: cancelSchema } },
    },
    ...problems('order_not_found', 'not_cancellable', 'cancel_undecided', 'checkout_unavailable'),
  },
});

/** Starts the workflow of a placed order in the background, and counts the outcome. */
function followUp({ starter, metrics, log }: Services, outcome: PlaceOrderOutcome): void {
  if (outcome.kind === 'refused') return metrics.countOrder(outcome.problem.code);
  if (outcome.kind === 'action_required') return metrics.countOrder('payment_action_required');
  if (outcome.placed) starter.startInBackground(startOf(outcome.placed));
  if (outcome.replayed) return metrics.countOrder('replayed');
  if (outcome.placed) return metrics.countOrder('placed');
  const isRefused = outcome.response.status === 422;
  // A shopper cannot mend this: the account or the product is set up wrongly.
  if (isRefused) log.warn({ order_id: outcome.orderId }, 'the payment provider refused a payment');
  metrics.countOrder(isRefused ? 'payment_refused' : 'payment_declined');
}
