/** Routes of single dead letters: thin handlers over services/redrive.ts. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { findDeadLetter, listDeadLetters } from '../../prisma/events/dead-letters.ts';
import { deciderOf, type ApiEnv } from '../middleware/request.ts';
import { ProblemError } from '../http/problems.ts';
import { discard, redrive } from '../../services/redrive.ts';
import { deadLetterBody, refusedDecision } from '../operations/dead-letter-responses.ts';
import { onInvalid } from '../http/respond.ts';
import {
  deadLetterListQuery,
  deadLetterListSchema,
  deadLetterParam,
  deadLetterSchema,
  discardBody,
  redriveBody,
} from '../schemas/dead-letters.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

export function deadLetterRoutes(services: Services) {
  const { db } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(listRoute, async (c) => {
      const { limit, starting_after: startingAfter, order_id, ...filter } = c.req.valid('query');
      const { deadLetters, hasMore } = await listDeadLetters(
        db,
        { ...filter, orderId: order_id },
        { limit, startingAfter },
      );
      const data = deadLetters.map(deadLetterBody);
      const url = '/v1/dead-letters';
      return c.json({ object: 'list' as const, url, data, has_more: hasMore }, 200);
    })
    .openapi(showRoute, async (c) => {
      const deadLetter = await findDeadLetter(db, c.req.valid('param').id);
      if (deadLetter === null) throw new ProblemError(refusedDecision({ kind: 'not_found' }));
      return c.json(deadLetterBody(deadLetter), 200);
    })
    .openapi(redriveRoute, async (c) => {
      const { action = 'retry', note = null } = c.req.valid('json');
      const { id } = c.req.valid('param');
      const outcome = await redrive(services, id, { action, note, by: deciderOf(c) });
      if (outcome.kind !== 'redriven') throw new ProblemError(refusedDecision(outcome));
      return c.json(deadLetterBody(outcome.deadLetter), 202);
    })
    .openapi(discardRoute, async (c) => {
      const { note } = c.req.valid('json');
      const { id } = c.req.valid('param');
      const outcome = await discard(services, id, { note, by: deciderOf(c) });
      if (outcome.kind !== 'discarded') throw new ProblemError(refusedDecision(outcome));
      return c.json(deadLetterBody(outcome.deadLetter), 200);
    });
}

const tags = ['Dead letters'];
const deadLetterResponse = (description: string) => ({
  description,
  content: { 'application/json': { schema: deadLetterSchema } },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/dead-letters',
  operationId: 'listDeadLetters',
  'x-role': 'operator',
  tags,
  summary: 'List permanently failed work, newest first',
  request: { query: deadLetterListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: deadLetterListSchema } },
    },
    ...problems(),
  },
});

const showRoute = createRoute({
  method: 'get',
  path: '/v1/dead-letters/{id}',
  operationId: 'getDeadLetter',
  'x-role': 'operator',
  tags,
  summary: 'Show a dead letter: message, error and decision',
  request: { params: deadLetterParam },
  responses: { 200: deadLetterResponse('The dead letter.'), ...problems('dead_letter_not_found') },
});

const redriveRoute = createRoute({
  method: 'post',
  path: '/v1/dead-letters/{id}/redrive',
  operationId: 'redriveDeadLetter',
  'x-role': 'operator',
  tags,
  summary: 'Retry the failed work with the same keys and event ids',
  description:
    'The waiting step of a checkout resumes; a delivery or notification starts again. The dead ' +
    'letter is resolved on success and open again after another failure.',
  request: {
    params: deadLetterParam,
    body: { content: { 'application/json': { schema: redriveBody } } },
  },
  responses: {
    202: deadLetterResponse('The retry has started.'),
    ...problems(
      'dead_letter_not_found',
      'dead_letter_not_open',
      'step_not_waiting',
      'checkout_unavailable',
    ),
  },
});

const discardRoute = createRoute({
  method: 'post',
  path: '/v1/dead-letters/{id}/discard',
  operationId: 'discardDeadLetter',
  'x-role': 'operator',
  tags,
  summary: 'Discard a dead letter, with a reason',
  description:
    'Not while an order or a refund waits for a decision about it: redrive that one, with `skip` or ' +
    '`cancel` if need be.',
  request: {
    params: deadLetterParam,
    body: { required: true, content: { 'application/json': { schema: discardBody } } },
  },
  responses: {
    200: deadLetterResponse('Discarded.'),
    ...problems('dead_letter_not_found', 'dead_letter_not_open', 'decision_required'),
  },
});
