/** Routes of subscriptions: show their lag, pause, resume and rewind them. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { cursorBefore } from '../../prisma/events/event-log.ts';
import { recordAction, type Operator } from '../../prisma/access/operator-actions.ts';
import {
  findSubscriptionLag,
  listSubscriptions,
  pauseSubscription,
  rewindSubscription,
  type SubscriptionLag,
} from '../../prisma/events/subscriptions.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { ProblemError } from '../http/problems.ts';
import { onInvalid } from '../http/respond.ts';
import { jsonPointer } from '../http/validation.ts';
import {
  rewindBody,
  subscriptionListQuery,
  subscriptionListSchema,
  subscriptionParam,
  subscriptionSchema,
  type SubscriptionBody,
} from '../schemas/subscriptions.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

export function subscriptionRoutes(services: Services) {
  const { db } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(listRoute, async (c) => {
      const { limit, starting_after: startingAfter } = c.req.valid('query');
      const found = await listSubscriptions(db, { limit: limit + 1, startingAfter });
      const data = found.slice(0, limit).map(subscriptionBody);
      return c.json(
        {
          object: 'list' as const,
          url: '/v1/subscriptions',
          data,
          has_more: found.length > limit,
        },
        200,
      );
    })
    .openapi(showRoute, async (c) => {
      const { name } = c.req.valid('param');
      return c.json(await loadSubscription(services, name), 200);
    })
    .openapi(pauseRoute, async (c) => {
      const { name } = c.req.valid('param');
      await pause(services, name, operatorOf(c));
      return c.json(await loadSubscription(services, name), 200);
    })
    .openapi(resumeRoute, async (c) => {
      const { name } = c.req.valid('param');
      await resume(services, name, operatorOf(c));
      return c.json(await loadSubscription(services, name), 200);
    })
    .openapi(rewindRoute, async (c) => {
      const { name } = c.req.valid('param');
      const { to: time } = c.req.valid('json');
      await rewind(services, name, { time, by: operatorOf(c) });
      return c.json(await loadSubscription(services, name), 202);
    });
}

const tags = ['Subscriptions'];
const subscriptionResponse = (description: string) => ({
  description,
  content: { 'application/json': { schema: subscriptionSchema } },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/subscriptions',
  operationId: 'listSubscriptions',
  'x-role': 'operator',
  tags,
  summary: 'List subscriptions by name, with their lag',
  request: { query: subscriptionListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: subscriptionListSchema } },
    },
    ...problems(),
  },
});

const showRoute = createRoute({
  method: 'get',
  path: '/v1/subscriptions/{name}',
  operationId: 'getSubscription',
  'x-role': 'operator',
  tags,
  summary: 'Show a subscription',
  request: { params: subscriptionParam },
  responses: {
    200: subscriptionResponse('The subscription.'),
    ...problems('subscription_not_found'),
  },
});

const pauseRoute = createRoute({
  method: 'post',
  path: '/v1/subscriptions/{name}/pause',
  operationId: 'pauseSubscription',
  'x-role': 'operator',
  tags,
  summary: 'Pause deliveries; events stay in the log',
  request: { params: subscriptionParam },
  responses: { 200: subscriptionResponse('Paused.'), ...problems('subscription_not_found') },
});

const resumeRoute = createRoute({
  method: 'post',
  path: '/v1/subscriptions/{name}/resume',
  operationId: 'resumeSubscription',
  'x-role': 'operator',
  tags,
  summary: 'Resume deliveries where they stopped',
  request: { params: subscriptionParam },
  responses: { 200: subscriptionResponse('Resumed.'), ...problems('subscription_not_found') },
});

const rewindRoute = createRoute({
  method: 'post',
  path: '/v1/subscriptions/{name}/rewind',
  operationId: 'rewindSubscription',
  'x-role': 'operator',
  tags,
  summary: 'Redeliver all events since a given time, with the same event ids',
  request: {
    params: subscriptionParam,
    body: { required: true, content: { 'application/json': { schema: rewindBody } } },
  },
  responses: {
    202: subscriptionResponse('Deliveries continue from that time.'),
    ...problems('subscription_not_found', 'rewind_ahead'),
  },
});

async function pause({ db }: Services, name: string, by: Operator): Promise<void> {
  await db.$transaction(async (tx) => {
    if (!(await pauseSubscription(tx, name, true))) throw notFound();
    await recordAction(tx, by, { action: 'subscription.paused', subject: name });
  });
}

async function resume(services: Services, name: string, by: Operator): Promise<void> {
  const { db, deliveries, log } = services;
  await db.$transaction(async (tx) => {
    if (!(await pauseSubscription(tx, name, false))) throw notFound();
    await recordAction(tx, by, { action: 'subscription.resumed', subject: name });
  });
  // The resume is committed. worker/subscriptions.ts starts the workflow once Temporal is available.
  const { kind } = await deliveries.ensureSubscriptionRuns(name);
  if (kind !== 'started')
    log.warn({ subscription: name }, 'subscription resumed, its workflow starts later');
}

async function rewind(
  { db }: Services,
  name: string,
  { time, by }: { readonly time: string; readonly by: Operator },
): Promise<void> {
  const to = await cursorBefore(db, time);
  await db.$transaction(async (tx) => {
    const outcome = await rewindSubscription(tx, name, to);
    if (outcome === 'not_found') throw notFound();
    if (outcome === 'ahead') throw aheadOfCursor();
    await recordAction(tx, by, { action: 'subscription.rewound', subject: name, data: { to } });
  });
}

async function loadSubscription({ db }: Services, name: string): Promise<SubscriptionBody> {
  const found = await findSubscriptionLag(db, name);
  if (found === null) throw notFound();
  return subscriptionBody(found);
}

function subscriptionBody(subscription: SubscriptionLag): SubscriptionBody {
  return {
    object: 'subscription',
    name: subscription.name,
    types: [...subscription.types],
    paused: subscription.paused,
    cursor: subscription.cursor,
    behind: subscription.behind,
    lag_seconds: subscription.lagSeconds,
    updated_at: subscription.updatedAt,
  };
}

function notFound(): ProblemError {
  const detail = 'No subscription has this name.';
  return new ProblemError({ code: 'subscription_not_found', detail });
}

function aheadOfCursor(): ProblemError {
  const errors = [
    { detail: 'The time is later than the last delivered event.', pointer: jsonPointer(['to']) },
  ];
  const detail = 'A subscription can only be rewound. Skipping forward would lose events.';
  return new ProblemError({ code: 'rewind_ahead', detail, errors });
}
