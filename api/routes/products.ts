/** Routes of the catalog: cached reads with entity tags, and writes. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { allPrices } from '../../domain/product.ts';
import {
  archiveProduct,
  findProduct,
  putProduct,
  type ProductDraft,
} from '../../prisma/catalog/products.ts';
import { describeCache } from '../http/cache-status.ts';
import { contentTag, notAtVersion, requiredVersion, versionTag } from '../http/etag.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { invalidRequest, ProblemError } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import { priceProblems } from '../orders/amounts.ts';
import { productBody } from '../orders/representations.ts';
import { onInvalid } from '../http/respond.ts';
import {
  ifNoneMatch,
  notModified,
  responseHeaders,
  writePreconditions,
} from '../schemas/conditions.ts';
import {
  changeProductBody,
  newProductParam,
  productListQuery,
  productListSchema,
  productParam,
  productSchema,
  putProductBody,
  type PutProductBody,
} from '../schemas/products.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

/** Private, because responses need an API key. Short, because prices change. */
const CACHE_CONTROL = 'private, max-age=5, stale-while-revalidate=30, stale-if-error=3600';

export function productRoutes(services: Services) {
  const { productCache, db } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(listRoute, async (c) => {
      const { starting_after: startingAfter, ...query } = c.req.valid('query');
      const cached = await productCache.list({ ...query, startingAfter });
      const { products, hasMore } = cached.value;
      const data = products.map(productBody);
      const list = { object: 'list' as const, url: '/v1/products', data, has_more: hasMore };
      c.header('etag', contentTag(JSON.stringify(list)));
      c.header('cache-control', CACHE_CONTROL);
      describeCache(c, cached);
      return c.json(list, 200);
    })
    .openapi(showRoute, async (c) => {
      const cached = await productCache.find(c.req.valid('param').sku);
      const product = cached.value;
      if (product === null) throw productNotFound();
      c.header('etag', versionTag(product.version));
      c.header('cache-control', CACHE_CONTROL);
      describeCache(c, cached);
      return c.json(productBody(product), 200);
    })
    .openapi(changeRoute, async (c) => {
      const { sku } = c.req.valid('param');
      const version = (await findProduct(db, sku))?.version;
      if (version === undefined) throw productNotFound();
      const expectedVersion = await requiredVersion('product', c.req.valid('header'), () =>
        Promise.resolve(version),
      );
      const { archived } = c.req.valid('json');
      const write = { expectedVersion, by: operatorOf(c) };
      const outcome = await archiveProduct(db, { sku, archived }, write);
      if (outcome.kind === 'version_mismatch') {
        throw notAtVersion('product', outcome.currentVersion);
      }
      productCache.invalidate();
      c.header('etag', versionTag(outcome.product.version));
      return c.json(productBody(outcome.product), 200);
    })
    .openapi(putRoute, async (c) => {
      const { sku } = c.req.valid('param');
      const readVersion = async () => (await findProduct(db, sku))?.version ?? null;
      const fields = c.req.valid('header');
      const expectedVersion = await requiredVersion('product', fields, readVersion);
      const draft = draftOf(sku, c.req.valid('json'));
      requirePrices(services, draft);
      const outcome = await putProduct(db, draft, { expectedVersion, by: operatorOf(c) });
      if (outcome.kind === 'version_mismatch')
        throw notAtVersion('product', outcome.currentVersion);
      // Other processes are notified; this one invalidates its cache immediately.
      productCache.invalidate();
      c.header('etag', versionTag(outcome.product.version));
      const body = productBody(outcome.product);
      return outcome.kind === 'created' ? c.json(body, 201) : c.json(body, 200);
    });
}

const tags = ['Products'];
const CACHE_HEADERS = ['ETag', 'Cache-Control', 'Cache-Status', 'Age'];
const productResponse = (description: string) => ({
  description,
  headers: responseHeaders('ETag', 'Cache-Control'),
  content: { 'application/json': { schema: productSchema } },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/products',
  operationId: 'listProducts',
  'x-role': 'storefront',
  tags,
  summary: 'List or search products, in SKU order',
  request: { query: productListQuery, headers: z.object(ifNoneMatch) },
  responses: {
    200: {
      description: 'One page.',
      headers: responseHeaders(...CACHE_HEADERS),
      content: { 'application/json': { schema: productListSchema } },
    },
    ...notModified,
    ...problems(),
  },
});

const showRoute = createRoute({
  method: 'get',
  path: '/v1/products/{sku}',
  operationId: 'getProduct',
  'x-role': 'storefront',
  tags,
  summary: 'Show a product',
  request: { params: productParam, headers: z.object(ifNoneMatch) },
  responses: {
    200: { ...productResponse('The product.'), headers: responseHeaders(...CACHE_HEADERS) },
    ...notModified,
    ...problems('product_not_found'),
  },
});

const putRoute = createRoute({
  method: 'put',
  path: '/v1/products/{sku}',
  operationId: 'putProduct',
  'x-role': 'admin',
  tags,
  summary: 'Create or replace a product',
  request: {
    params: newProductParam,
    headers: z.object(writePreconditions),
    body: { required: true, content: { 'application/json': { schema: putProductBody } } },
  },
  responses: {
    200: productResponse('Replaced.'),
    201: productResponse('Created, without stock.'),
    ...problems(),
  },
});

const changeRoute = createRoute({
  method: 'patch',
  path: '/v1/products/{sku}',
  operationId: 'changeProduct',
  'x-role': 'admin',
  tags,
  summary: 'Archive a product, or bring it back',
  description: 'No order takes an archived product. Orders that have it already continue.',
  request: {
    params: productParam,
    headers: z.object(writePreconditions),
    body: { required: true, content: { 'application/json': { schema: changeProductBody } } },
  },
  responses: { 200: productResponse('Changed.'), ...problems('product_not_found') },
});

function draftOf(sku: string, body: PutProductBody): ProductDraft {
  const { description = null, price_minor: priceMinor, prices, ...rest } = body;
  const others = prices.map(({ currency, price_minor: minor }) => ({
    currency,
    priceMinor: minor,
  }));
  return { sku, ...rest, description, priceMinor, prices: others };
}

/** A price that no order could be charged is refused here, not at the first order. */
function requirePrices({ payments }: Services, draft: ProductDraft): void {
  const errors = priceProblems(payments, allPrices(draft)).map(({ at, field, detail }) => ({
    detail,
    pointer: jsonPointer(at === 0 ? [field] : ['prices', at - 1, field]),
  }));
  if (errors.length > 0) throw new ProblemError(invalidRequest(errors));
}

export function productNotFound(): ProblemError {
  return new ProblemError({ code: 'product_not_found', detail: 'No product has this SKU.' });
}
