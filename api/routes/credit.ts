/** Routes of store credit: what a customer can spend, the ledger, and grants. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { findBalances, pageCreditEntries } from '../../prisma/credit/accounts.ts';
import { creditEntryBody, grantToCustomer, moneyBody } from '../customers/credit.ts';
import { customerNotFound, loadCustomer } from '../customers/customers.ts';
import { claimOf } from '../http/idempotency-key.ts';
import { ProblemError } from '../http/problems.ts';
import { onInvalid, sendStored } from '../http/respond.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import {
  balanceSchema,
  creditEntrySchema,
  creditListQuery,
  creditListSchema,
  grantCreditBody,
} from '../schemas/credit.ts';
import { customerParam } from '../schemas/customers.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

export function creditRoutes({ db }: Services) {
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(balanceRoute, async (c) => {
      const { id } = c.req.valid('param');
      const balances = await findBalances(db, id);
      if (balances === null) throw customerNotFound();
      c.header('cache-control', 'no-store');
      const object = 'balance' as const;
      return c.json({ object, customer_id: id, balances: balances.map(moneyBody) }, 200);
    })
    .openapi(grantRoute, async (c) => {
      const customer = await loadCustomer(db, c.req.valid('param').id);
      const body = c.req.valid('json');
      const key = c.req.valid('header')['idempotency-key'];
      const scope = `POST /v1/customers/${customer.id}/credit`;
      const claim = claimOf({ apiKeyId: c.var.apiKey.id, scope, key, body });
      const outcome = await grantToCustomer(db, claim, {
        customerId: customer.id,
        amountMinor: body.amount_minor,
        currency: body.currency,
        reason: body.reason,
        expiresAt: body.expires_at ?? null,
        by: operatorOf(c),
      });
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      return sendStored<201, typeof creditEntrySchema>(c, outcome.response, outcome.replayed);
    })
    .openapi(listRoute, async (c) => {
      const customer = await loadCustomer(db, c.req.valid('param').id);
      const { limit, starting_after: startingAfter } = c.req.valid('query');
      const page = await pageCreditEntries(db, customer.id, { limit, startingAfter });
      const url = `/v1/customers/${customer.id}/credit`;
      const data = page.entries.map(creditEntryBody);
      return c.json({ object: 'list' as const, url, data, has_more: page.hasMore }, 200);
    });
}

const tags = ['Customers'];

const balanceRoute = createRoute({
  method: 'get',
  path: '/v1/customers/{id}/balance',
  operationId: 'getBalance',
  'x-role': 'storefront',
  tags,
  summary: "Show a customer's store credit, by currency",
  request: { params: customerParam },
  responses: {
    200: {
      description: 'What the customer can spend now.',
      content: { 'application/json': { schema: balanceSchema } },
    },
    ...problems('customer_not_found'),
  },
});

const grantRoute = createRoute({
  method: 'post',
  path: '/v1/customers/{id}/credit',
  operationId: 'grantCredit',
  'x-role': 'operator',
  tags,
  summary: 'Grant store credit',
  request: {
    params: customerParam,
    headers: idempotencyHeader,
    body: { required: true, content: { 'application/json': { schema: grantCreditBody } } },
  },
  responses: {
    201: {
      description: 'Granted: the new entry of the ledger.',
      content: { 'application/json': { schema: creditEntrySchema } },
    },
    ...problems('customer_not_found'),
  },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/customers/{id}/credit',
  operationId: 'listCreditEntries',
  'x-role': 'operator',
  tags,
  summary: "List the ledger of a customer's store credit, newest first",
  request: { params: customerParam, query: creditListQuery },
  responses: {
    200: {
      description: 'One page.',
      content: { 'application/json': { schema: creditListSchema } },
    },
    ...problems('customer_not_found'),
  },
});
