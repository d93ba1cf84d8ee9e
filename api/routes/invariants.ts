/** What must be true whatever has failed, checked now: for the operator's pages and for an alarm. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { InvariantResult } from '../../prisma/operations/invariants.ts';
import { createInvariantReader } from '../operations/invariants.ts';
import { requireRole, type ApiEnv } from '../middleware/request.ts';
import { onInvalid } from '../http/respond.ts';
import { problemResponses } from '../schemas/common.ts';
import { invariantListSchema, type InvariantBody } from '../schemas/invariants.ts';
import type { Services } from '../context.ts';

export function invariantRoutes({ watchDb }: Pick<Services, 'watchDb'>) {
  const readInvariants = createInvariantReader(watchDb);
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid }).openapi(listRoute, async (c) => {
    const { results, checkedAt } = await readInvariants();
    const data = results.map(invariantBody);
    const counted = (status: InvariantBody['status']): number =>
      data.filter((each) => each.status === status).length;
    c.header('cache-control', 'no-store');
    return c.json(
      {
        object: 'list' as const,
        url: '/v1/invariants',
        data,
        has_more: false,
        checked_at: checkedAt,
        violated: counted('violated'),
        unchecked: counted('unchecked'),
      },
      200,
    );
  });
}

const listRoute = createRoute({
  method: 'get',
  path: '/v1/invariants',
  tags: ['Invariants'],
  summary: 'Check what must be true whatever has failed',
  description:
    'The whole list, in one snapshot of the database; the same for every caller within 5 seconds. ' +
    '`violated` above 0 is for an alarm. `npm run audit` checks Temporal and the providers too.',
  middleware: [requireRole('operator')] as const,
  responses: {
    200: {
      description: 'Every invariant with its count.',
      content: { 'application/json': { schema: invariantListSchema } },
    },
    ...problemResponses,
  },
});

function invariantBody(result: InvariantResult): InvariantBody {
  const { name, title, holds, violations, examples, unchecked, tookMs } = result;
  const checked = violations === 0 ? 'holds' : 'violated';
  return {
    object: 'invariant',
    name,
    title,
    holds,
    status: unchecked === null ? checked : 'unchecked',
    violations,
    examples: [...examples],
    unchecked_because: unchecked,
    took_ms: tookMs,
  };
}
