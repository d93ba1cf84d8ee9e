/**
 * Routes of dead letters by their cause: groups, bulk discard, and bulk redrive with its progress. Thin
 * handlers over services/redrive.ts and services/bulk-redrive.ts.
 */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { listGroups } from '../../prisma/events/dead-letter-groups.ts';
import { findRedrive, listRedrives } from '../../prisma/events/redrives.ts';
import { discardMany } from '../../services/redrive.ts';
import type { Services } from '../context.ts';
import { ProblemError } from '../http/problems.ts';
import { onInvalid } from '../http/respond.ts';
import { deciderOf, type ApiEnv } from '../middleware/request.ts';
import { groupBody, progressBody } from '../operations/dead-letter-responses.ts';
import { responseHeaders } from '../schemas/conditions.ts';
import {
  deadLetterGroupListQuery,
  deadLetterGroupListSchema,
  deadLetterParam,
  discardManyBody,
  discardManySchema,
  redriveDryRunSchema,
  redriveListQuery,
  redriveListSchema,
  redriveManyBody,
  redriveSchema,
} from '../schemas/dead-letters.ts';
import { problems } from '../schemas/problems.ts';

/** Mount them before the routes of single dead letters: no id is `groups` or `redrives`. */
export function deadLetterGroupRoutes(services: Services) {
  const { db, redriver } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(groupsRoute, async (c) => {
      const { groups, hasMore } = await listGroups(db, c.req.valid('query').limit);
      const list = { url: '/v1/dead-letters/groups', data: groups.map(groupBody) };
      return c.json({ object: 'list' as const, ...list, has_more: hasMore }, 200);
    })
    .openapi(discardRoute, async (c) => {
      const { fingerprint, note, dry_run } = c.req.valid('json');
      const request = dry_run ? null : { note, by: deciderOf(c) };
      const counts = await discardMany(services, fingerprint, request);
      return c.json({ object: 'discard' as const, fingerprint, dry_run, ...counts }, 200);
    })
    .openapi(redriveRoute, async (c) => {
      const { fingerprint, rate, dry_run, note = null } = c.req.valid('json');
      if (dry_run) {
        const summary = { object: 'redrive' as const, fingerprint, rate, dry_run };
        return c.json({ ...summary, ...(await redriver.count(fingerprint)) }, 200);
      }
      const request = { fingerprint, ratePerSecond: rate, note, by: deciderOf(c) };
      const outcome = await redriver.start(request);
      if (outcome.kind === 'busy') throw busy();
      c.header('location', `/v1/dead-letters/redrives/${outcome.redrive.id}`);
      return c.json(progressBody(outcome.redrive), 202);
    })
    .openapi(redrivesRoute, async (c) => {
      const { limit, starting_after: startingAfter } = c.req.valid('query');
      const { redrives, hasMore } = await listRedrives(db, { limit, startingAfter });
      const list = { url: '/v1/dead-letters/redrives', data: redrives.map(progressBody) };
      return c.json({ object: 'list' as const, ...list, has_more: hasMore }, 200);
    })
    .openapi(progressRoute, async (c) => {
      const redrive = await findRedrive(db, c.req.valid('param').id);
      if (redrive === null) throw redriveNotFound();
      return c.json(progressBody(redrive), 200);
    });
}

const tags = ['Dead letters'];

const groupsRoute = createRoute({
  method: 'get',
  path: '/v1/dead-letters/groups',
  operationId: 'listDeadLetterGroups',
  'x-role': 'operator',
  tags,
  summary: 'List open dead letters by cause, the largest group first',
  request: { query: deadLetterGroupListQuery },
  responses: {
    200: {
      description: 'The largest groups. There is no further page: decide about these first.',
      content: { 'application/json': { schema: deadLetterGroupListSchema } },
    },
    ...problems(),
  },
});

const discardRoute = createRoute({
  method: 'post',
  path: '/v1/dead-letters/discard',
  operationId: 'discardDeadLetters',
  'x-role': 'operator',
  tags,
  summary: 'Discard all open dead letters with one fingerprint, with a reason',
  description:
    'Those about which an order or a refund waits for a decision stay open. The audit log has an entry ' +
    'for each of the others.',
  request: {
    body: { required: true, content: { 'application/json': { schema: discardManyBody } } },
  },
  responses: {
    200: {
      description: 'How many were discarded.',
      content: { 'application/json': { schema: discardManySchema } },
    },
    ...problems(),
  },
});

const redriveRoute = createRoute({
  method: 'post',
  path: '/v1/dead-letters/redrive',
  operationId: 'redriveDeadLetters',
  'x-role': 'operator',
  tags,
  summary: 'Redrive all open dead letters with one fingerprint, at a given rate',
  description:
    'Runs in the background of this process. If it stops, the rest stays open, and the same call ' +
    'continues with them. `Location` is its progress.',
  request: {
    body: { required: true, content: { 'application/json': { schema: redriveManyBody } } },
  },
  responses: {
    200: {
      description: 'With `dry_run`: the number that would be redriven.',
      content: { 'application/json': { schema: redriveDryRunSchema } },
    },
    202: {
      description: 'The redrive has started.',
      headers: responseHeaders('Location'),
      content: { 'application/json': { schema: redriveSchema } },
    },
    ...problems('redrive_in_progress'),
  },
});

const redrivesRoute = createRoute({
  method: 'get',
  path: '/v1/dead-letters/redrives',
  operationId: 'listRedrives',
  'x-role': 'operator',
  tags,
  summary: 'List bulk redrives, newest first',
  request: { query: redriveListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: redriveListSchema } },
    },
    ...problems(),
  },
});

const progressRoute = createRoute({
  method: 'get',
  path: '/v1/dead-letters/redrives/{id}',
  operationId: 'getRedrive',
  'x-role': 'operator',
  tags,
  summary: 'Show how far a bulk redrive got',
  description: 'Written about once a second by the process that runs it, and read from any other.',
  request: { params: deadLetterParam },
  responses: {
    200: {
      description: 'The redrive.',
      content: { 'application/json': { schema: redriveSchema } },
    },
    ...problems('redrive_not_found'),
  },
});

function busy(): ProblemError {
  const detail = 'A redrive of this fingerprint is running, or too many others are. Retry later.';
  return new ProblemError({ code: 'redrive_in_progress', detail, retryAfterSeconds: 5 });
}

function redriveNotFound(): ProblemError {
  const detail = 'No redrive has this id.';
  return new ProblemError({ code: 'redrive_not_found', detail });
}
