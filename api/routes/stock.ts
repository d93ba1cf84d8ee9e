/** Routes of stock. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { findStock } from '../../prisma/catalog/stock.ts';
import { listStock } from '../../prisma/catalog/stock-list.ts';
import { changeStock } from '../operations/adjust-stock.ts';
import { claimOf } from '../http/idempotency-key.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { ProblemError } from '../http/problems.ts';
import { stockBody, stockItemBody } from '../orders/representations.ts';
import { onInvalid, sendStored } from '../http/respond.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import {
  adjustStockBody,
  productParam,
  stockListQuery,
  stockListSchema,
  stockSchema,
} from '../schemas/products.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';
import { productNotFound } from './products.ts';

export function stockRoutes({ db, timeZone }: Services) {
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(listRoute, async (c) => {
      const { limit, starting_after, available_below } = c.req.valid('query');
      const page = { limit, startingAfter: starting_after, availableBelow: available_below };
      const { stock, hasMore } = await listStock(db, { ...page, timeZone });
      const data = stock.map(stockItemBody);
      return c.json({ object: 'list' as const, url: '/v1/stock', data, has_more: hasMore }, 200);
    })
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

const listRoute = createRoute({
  method: 'get',
  path: '/v1/stock',
  operationId: 'listStock',
  'x-role': 'operator',
  tags,
  summary: 'List the stock of all products, by SKU',
  request: { query: stockListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: stockListSchema } },
    },
    ...problems(),
  },
});

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
