/** Routes of stock. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { findStock } from '../../prisma/catalog/stock.ts';
import { changeStock } from '../operations/adjust-stock.ts';
import { claimOf } from '../http/idempotency-key.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { ProblemError } from '../http/problems.ts';
import { stockBody } from '../orders/representations.ts';
import { onInvalid, sendStored } from '../http/respond.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import { adjustStockBody, productParam, stockSchema } from '../schemas/products.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';
import { productNotFound } from './products.ts';

export function stockRoutes({ db }: Services) {
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(showRoute, async (c) => {
      const stock = await findStock(db, c.req.valid('param').sku);
      if (stock === null) throw productNotFound();
      return c.json(stockBody(stock), 200);
    })
    .openapi(adjustRoute, async (c) => {
      const { sku } = c.req.valid('param');
      const body = c.req.valid('json');
      const key = c.req.valid('header')['idempotency-key'];
      const { apiKey } = c.var;
      const scope = `POST /v1/products/${sku}/stock`;
      const claim = claimOf({ apiKeyId: apiKey.id, scope, key, body });
      const outcome = await changeStock(db, claim, { sku, ...body, by: operatorOf(c) });
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      return sendStored<200, typeof stockSchema>(c, outcome.response, outcome.replayed);
    });
}

const tags = ['Products'];
const stockResponse = {
  description: 'The current stock.',
  content: { 'application/json': { schema: stockSchema } },
};

const showRoute = createRoute({
  method: 'get',
  path: '/v1/products/{sku}/stock',
  operationId: 'getStock',
  // A shop shows how many are left.
  'x-role': 'storefront',
  tags,
  summary: "Show a product's stock",
  request: { params: productParam },
  responses: { 200: stockResponse, ...problems('product_not_found') },
});

const adjustRoute = createRoute({
  method: 'post',
  path: '/v1/products/{sku}/stock',
  operationId: 'adjustStock',
  'x-role': 'operator',
  tags,
  summary: 'Add or remove units',
  request: {
    params: productParam,
    headers: idempotencyHeader,
    body: { required: true, content: { 'application/json': { schema: adjustStockBody } } },
  },
  responses: { 200: stockResponse, ...problems('product_not_found', 'stock_not_available') },
});
