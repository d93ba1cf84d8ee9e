/** Route of the invariants, for operators and alerts. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { InvariantResult } from '../../prisma/operations/invariants.ts';
import { createInvariantReader } from '../operations/invariants.ts';
import type { ApiEnv } from '../middleware/request.ts';
import { onInvalid } from '../http/respond.ts';
import { invariantListSchema, invariantQuery, type InvariantBody } from '../schemas/invariants.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

export function invariantRoutes({ watchDb }: Pick<Services, 'watchDb'>) {
  const readInvariants = createInvariantReader(watchDb);
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid }).openapi(listRoute, async (c) => {
    const { max_age: maxAgeSeconds } = c.req.valid('query');
    const { results, checkedAt } = await readInvariants(maxAgeSeconds * 1_000);
    const data = results.map(invariantBody);
    const countOf = (status: InvariantBody['status']): number =>
      data.filter((each) => each.status === status).length;
    return c.json(
      {
        object: 'list' as const,
        url: '/v1/invariants',
        data,
        has_more: false,
        checked_at: checkedAt,
        violated: countOf('violated'),
        unchecked: countOf('unchecked'),
      },
      200,
    );
  });
}

const listRoute = createRoute({
  method: 'get',
  path: '/v1/invariants',
  operationId: 'checkInvariants',
  'x-role': 'operator',
  tags: ['Invariants'],
  summary: 'Check the invariants',
  description:
    'Checks what must hold despite any failure, in one database snapshot. Callers within 5 seconds, or ' +
    'within `max_age`, share a result. Alert on `violated` above 0. `npm run audit` also checks Temporal and providers.',
  request: { query: invariantQuery },
  responses: {
    200: {
      description: 'Every invariant with its count.',
      content: { 'application/json': { schema: invariantListSchema } },
    },
    ...problems(),
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
