/** Routes of the persons behind orders: thin handlers over services/persons.ts. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { erasePerson, exportPerson, type ErasureOutcome } from '../../services/persons.ts';
import { moneyBody } from '../customers/credit.ts';
import { ProblemError } from '../http/problems.ts';
import { onInvalid } from '../http/respond.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { erasureSchema, personBody, personSchema } from '../schemas/persons.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

/** Below the deadline of a request. */
const ERASE_WITHIN_MS = 8_000;

export function personRoutes(services: Services) {
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(eraseRoute, async (c) => {
      const { email } = c.req.valid('json');
      const limits = { by: operatorOf(c), withinMs: ERASE_WITHIN_MS };
      const outcome = await erasePerson(services, { email, ...limits });
      if (outcome.kind === 'under_way') throw underWay(outcome);
      c.header('cache-control', 'no-store');
      return c.json(
        {
          object: 'erasure' as const,
          customer_id: outcome.kind === 'erased' ? outcome.customerId : null,
          orders: outcome.orders,
          credit_left: outcome.kind === 'erased' ? outcome.creditLeft.map(moneyBody) : [],
          complete: outcome.kind !== 'incomplete',
        },
        200,
      );
    })
    .openapi(exportRoute, async (c) => {
      const { email } = c.req.valid('json');
      const document = await exportPerson(services, { email, by: operatorOf(c) });
      c.header('cache-control', 'no-store');
      return c.json(document, 200);
    });
}

const tags = ['Persons'];
const request = {
  body: { required: true, content: { 'application/json': { schema: personBody } } },
} as const;

const eraseRoute = createRoute({
  method: 'post',
  path: '/v1/persons/erase',
  operationId: 'erasePerson',
  'x-role': 'operator',
  tags,
  summary: 'Erase a person (Article 17 GDPR)',
  description:
    'Orders and money stay, the person goes: from customers, orders, events, stored responses, ' +
    'messages and dead letters. Repeating the call is safe. It is refused while orders of the person ' +
    'are under way.',
  request,
  responses: {
    200: {
      description: 'Erased, or no record has this e-mail.',
      content: { 'application/json': { schema: erasureSchema } },
    },
    ...problems('orders_under_way'),
  },
});

const exportRoute = createRoute({
  method: 'post',
  path: '/v1/persons/export',
  operationId: 'exportPerson',
  'x-role': 'operator',
  tags,
  summary: 'Export everything held about a person (Articles 15 and 20 GDPR)',
  request,
  responses: {
    200: {
      description: 'One document. Empty when no record has this e-mail.',
      content: { 'application/json': { schema: personSchema } },
    },
    ...problems(),
  },
});

function underWay({ orderIds, orders }: Extract<ErasureOutcome, { kind: 'under_way' }>) {
  return new ProblemError({
    code: 'orders_under_way',
    detail:
      `Nothing more is erased while these orders or their refunds are under way: ` +
      `${orderIds.join(', ')}. Cancel them, or repeat the call when they are settled.`,
    members: { order_ids: orderIds, erased_orders: orders },
  });
}
