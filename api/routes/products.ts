/** Routes of the catalog: cached reads with entity tags, and one write. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { formatMoney, type AmountLimits, type Money } from '../../domain/money.ts';
import { findProduct, putProduct } from '../../prisma/catalog/products.ts';
import { alreadyHas, contentTag, expectedVersion, versionTag } from '../http/etag.ts';
import { requireRole, operatorOf, type ApiEnv } from '../middleware/request.ts';
import { invalidRequest, ProblemError, type FieldError } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import { notChargeable, offStep } from '../orders/amounts.ts';
import { productBody } from '../orders/representations.ts';
import { onInvalid } from '../http/respond.ts';
import { problemResponses } from '../schemas/common.ts';
import { ifMatch, ifNoneMatch } from '../schemas/conditions.ts';
import {
  newProductParam,
  productListQuery,
  productListSchema,
  productParam,
  productSchema,
  putProductBody,
} from '../schemas/products.ts';
import type { Services } from '../context.ts';

/** Private, because responses need an API key. Short, because prices change. */
const CACHE_CONTROL = 'private, max-age=5, stale-while-revalidate=30';

export function productRoutes(services: Services) {
  const { productCache, db } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(listRoute, async (c) => {
      const { limit, starting_after: startingAfter } = c.req.valid('query');
      const { products, hasMore } = await productCache.list({ limit, startingAfter });
      const data = products.map(productBody);
      const list = { object: 'list' as const, url: '/v1/products', data, has_more: hasMore };
      const tag = contentTag(JSON.stringify(list));
      return isFresh(c, tag) ? c.body(null, 304) : c.json(list, 200);
    })
    .openapi(showRoute, async (c) => {
      const product = await productCache.find(c.req.valid('param').sku);
      if (product === null) throw productNotFound();
      const fresh = isFresh(c, versionTag(product.version));
      return fresh ? c.body(null, 304) : c.json(productBody(product), 200);
    })
    .openapi(putRoute, async (c) => {
      const { sku } = c.req.valid('param');
      const { name, description, price_minor: priceMinor, currency } = c.req.valid('json');
      requirePrice(services, { amountMinor: priceMinor, currency });
      const expectedVersion = await requiredVersion(services, sku, c.req.header('if-match'));
      const draft = { sku, name, description: description ?? null, priceMinor, currency };
      const outcome = await putProduct(db, draft, { expectedVersion, by: operatorOf(c) });
      if (outcome.kind === 'version_mismatch') throw notAtVersion(outcome.currentVersion);
      // Other processes are notified; this one invalidates its cache immediately.
      productCache.invalidate();
      c.header('etag', versionTag(outcome.product.version));
      const body = productBody(outcome.product);
      return outcome.kind === 'created' ? c.json(body, 201) : c.json(body, 200);
    });
}

const tags = ['Products'];
const productResponse = (description: string) => ({
  description,
  content: { 'application/json': { schema: productSchema } },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/products',
  tags,
  summary: 'List products in SKU order',
  middleware: [requireRole('storefront')] as const,
  request: { query: productListQuery, headers: z.object(ifNoneMatch) },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: productListSchema } },
    },
    304: { description: 'Not modified.' },
    ...problemResponses,
  },
});

const showRoute = createRoute({
  method: 'get',
  path: '/v1/products/{sku}',
  tags,
  summary: 'Show a product',
  middleware: [requireRole('storefront')] as const,
  request: { params: productParam, headers: z.object(ifNoneMatch) },
  responses: {
    200: productResponse('The product.'),
    304: { description: 'Not modified.' },
    ...problemResponses,
  },
});

const putRoute = createRoute({
  method: 'put',
  path: '/v1/products/{sku}',
  tags,
  summary: 'Create or replace a product',
  middleware: [requireRole('admin')] as const,
  request: {
    params: newProductParam,
    headers: z.object(ifMatch),
    body: { required: true, content: { 'application/json': { schema: putProductBody } } },
  },
  responses: {
    200: productResponse('Replaced.'),
    201: productResponse('Created, without stock.'),
    ...problemResponses,
  },
});

/** Sets the cache headers. True when the client has the current version. */
function isFresh(c: Context, tag: string): boolean {
  c.header('etag', tag);
  c.header('cache-control', CACHE_CONTROL);
  return alreadyHas(c.req.header('if-none-match'), tag);
}

async function requiredVersion(
  { db }: Services,
  sku: string,
  ifMatch: string | undefined,
): Promise<number | null> {
  const expected = expectedVersion(ifMatch);
  if (expected !== 'current') return expected;
  const product = await findProduct(db, sku);
  if (product === null) throw notAtVersion(null);
  return product.version;
}

/** A price that no order could be charged is refused here, not at the first order. */
function requirePrice({ payments }: Services, price: Money): void {
  const limits = payments.limitsOf(price.currency);
  const errors = limits === null ? [notChargeable(price.currency)] : wrongPrice(price, limits);
  if (errors.length > 0) throw new ProblemError(invalidRequest(errors));
}

function wrongPrice(price: Money, limits: AmountLimits): readonly FieldError[] {
  const most = formatMoney({ ...price, amountMinor: limits.maxMinor });
  const detail =
    price.amountMinor > limits.maxMinor
      ? `A card can be charged at most ${most}.`
      : offStep(price, limits);
  return detail === null ? [] : [{ detail, pointer: jsonPointer(['price_minor']) }];
}

function notAtVersion(current: number | null): ProblemError {
  const detail =
    current === null
      ? 'The product does not exist.'
      : `The product is now at version ${current}. Read it again.`;
  return new ProblemError({ code: 'precondition_failed', detail });
}

export function productNotFound(): ProblemError {
  return new ProblemError({ code: 'product_not_found', detail: 'No product has this SKU.' });
}
