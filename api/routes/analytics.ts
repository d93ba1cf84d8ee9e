/** The route of the figures that the subscriber `analytics` gathers. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { countedUntil, listFigures, type Figures } from '../../prisma/events/analytics.ts';
import type { Services } from '../context.ts';
import { invalidRequest, ProblemError } from '../http/problems.ts';
import { onInvalid } from '../http/respond.ts';
import type { ApiEnv } from '../middleware/request.ts';
import { analyticsListSchema, analyticsQuery, type AnalyticsBody } from '../schemas/analytics.ts';
import { problems } from '../schemas/problems.ts';

const DAY_MS = 86_400_000;
/** Days when nothing else is asked for, and the most that one response has. */
const SPANS = { hour: { usual: 1, most: 31 }, day: { usual: 30, most: 366 } } as const;

export function analyticsRoutes({ db, timeZone }: Services) {
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid }).openapi(analyticsRoute, async (c) => {
    const { by, to = new Date().toISOString(), ...query } = c.req.valid('query');
    const { usual, most } = SPANS[by];
    const from = query.from ?? daysBefore(to, usual);
    const spanMs = Date.parse(to) - Date.parse(from);
    if (spanMs <= 0) throw invalid('to', 'Give a time after `from`.');
    if (spanMs > most * DAY_MS) throw invalid('from', `Ask for at most ${most} days by ${by}.`);
    // Read first: what is counted in between is no harm, a time that is too late would be.
    const asOf = await countedUntil(db);
    const figures = await listFigures(db, { from, to, by, timeZone });
    if (figures === null) {
      throw invalid(
        'by',
        `A sum is above ${Number.MAX_SAFE_INTEGER} minor units. Ask for less at once.`,
      );
    }
    const list = { url: '/v1/analytics', data: figures.map(analyticsBody), has_more: false };
    return c.json({ object: 'list' as const, ...list, time_zone: timeZone, as_of: asOf }, 200);
  });
}

const analyticsRoute = createRoute({
  method: 'get',
  path: '/v1/analytics',
  operationId: 'listAnalytics',
  'x-role': 'operator',
  tags: ['Orders'],
  summary: 'List orders, revenue and refunds per hour or day, and currency',
  request: { query: analyticsQuery },
  responses: {
    200: {
      description:
        'Oldest first, in whole hours or days; those without events have no row. At most 31 days ' +
        'by hour, 366 by day, so that there is never a second page.',
      content: { 'application/json': { schema: analyticsListSchema } },
    },
    ...problems(),
  },
});

/** A date stays a date. */
function daysBefore(at: string, days: number): string {
  return new Date(Math.max(Date.parse(at) - days * DAY_MS, 0)).toISOString().slice(0, at.length);
}

function analyticsBody(figures: Figures): AnalyticsBody {
  return {
    object: 'analytics',
    starts_at: figures.startsAt.toISOString(),
    ends_at: figures.endsAt.toISOString(),
    currency: figures.currency,
    orders: figures.orders,
    declined: figures.declined,
    cancelled: figures.cancelled,
    shipped: figures.shipped,
    revenue_minor: figures.revenueMinor,
    refunded_minor: figures.refundedMinor,
  };
}

function invalid(parameter: string, detail: string): ProblemError {
  return new ProblemError(invalidRequest([{ detail, parameter }]));
}
