/** The route of the sales figures, which the subscriber `analytics` writes. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { listSales, salesCountedUntil, type Sales } from '../../prisma/events/analytics.ts';
import type { Services } from '../context.ts';
import { invalidRequest, ProblemError } from '../http/problems.ts';
import { onInvalid } from '../http/respond.ts';
import type { ApiEnv } from '../middleware/request.ts';
import { problems } from '../schemas/problems.ts';
import { salesListSchema, salesQuery, type SalesBody } from '../schemas/sales.ts';

/** Four weeks of hours in three currencies. */
const MAX_ROWS = 2_000;
const DAY_MS = 86_400_000;

export function salesRoutes({ db }: Services) {
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid }).openapi(salesRoute, async (c) => {
    const { per, to = new Date().toISOString(), ...query } = c.req.valid('query');
    const from = query.from ?? new Date(Math.max(Date.parse(to) - DAY_MS, 0)).toISOString();
    if (from >= to) throw noSpan();
    // Read first: what is counted in between is no harm, a time that is too late would be.
    const countedUntil = await salesCountedUntil(db);
    const { sales, hasMore } = await listSales(db, { from, to, per, limit: MAX_ROWS });
    const list = { url: '/v1/sales', data: sales.map(salesBody), has_more: hasMore };
    return c.json({ object: 'list' as const, ...list, counted_until: countedUntil }, 200);
  });
}

const salesRoute = createRoute({
  method: 'get',
  path: '/v1/sales',
  operationId: 'listSales',
  'x-role': 'operator',
  tags: ['Orders'],
  summary: 'List the sales per hour or day, and currency',
  request: { query: salesQuery },
  responses: {
    200: {
      description:
        'Oldest first, at most 2,000 rows; hours without sales have none. If `has_more` is true, ' +
        'continue with the last `starts_at` as `from`.',
      content: { 'application/json': { schema: salesListSchema } },
    },
    ...problems(),
  },
});

function salesBody(sales: Sales): SalesBody {
  return {
    object: 'sales',
    starts_at: sales.startsAt.toISOString(),
    currency: sales.currency,
    orders: sales.orders,
    declined: sales.declined,
    cancelled: sales.cancelled,
    shipped: sales.shipped,
    revenue_minor: sales.revenueMinor,
    refunded_minor: sales.refundedMinor,
  };
}

function noSpan(): ProblemError {
  const detail = 'Give a time after `from`.';
  return new ProblemError(invalidRequest([{ detail, parameter: 'to' }]));
}
