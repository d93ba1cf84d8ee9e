/** Routes of customers: whether an e-mail may register, and who did. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { isRegistered } from '../../prisma/customers/customers.ts';
import {
  customerBody,
  loadCustomer,
  registerCustomer,
  updateCustomer,
} from '../customers/customers.ts';
import { requiredVersion, versionTag } from '../http/etag.ts';
import { claimOf } from '../http/idempotency-key.ts';
import { ProblemError } from '../http/problems.ts';
import { idIn, onInvalid, sendStored } from '../http/respond.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import {
  ifNoneMatch,
  notModified,
  responseHeaders,
  writePreconditions,
} from '../schemas/conditions.ts';
import {
  availabilityQuery,
  availabilitySchema,
  changeCustomerBody,
  customerParam,
  customerSchema,
  newCustomerBody,
} from '../schemas/customers.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';

export function customerRoutes({ db, guessLimits }: Services) {
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(availabilityRoute, async (c) => {
      const { email } = c.req.valid('query');
      guessLimits.count({ apiKeyId: c.var.apiKey.id, email });
      const available = !(await isRegistered(db, email));
      return c.json({ object: 'availability' as const, available }, 200);
    })
    .openapi(registerRoute, async (c) => {
      const body = c.req.valid('json');
      const { apiKey } = c.var;
      guessLimits.count({ apiKeyId: apiKey.id, email: body.email });
      const { email, name, phone = null, language = null, sms_consent: smsConsent = false } = body;
      const draft = { email, name, phone, language, smsConsent };
      const key = c.req.valid('header')['idempotency-key'];
      const claim = claimOf({ apiKeyId: apiKey.id, scope: 'POST /v1/customers', key, body });
      const outcome = await registerCustomer(db, claim, { draft, by: operatorOf(c) });
      if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
      c.header('location', `/v1/customers/${idIn(outcome.response.body)}`);
      return sendStored<201, typeof customerSchema>(c, outcome.response, outcome.replayed);
    })
    .openapi(showRoute, async (c) => {
      const customer = await loadCustomer(db, c.req.valid('param').id);
      c.header('etag', versionTag(customer.version));
      c.header('cache-control', 'private, no-cache');
      return c.json(customerBody(customer), 200);
    })
    .openapi(changeRoute, async (c) => {
      const customer = await loadCustomer(db, c.req.valid('param').id);
      const fields = c.req.valid('header');
      const expectedVersion = await requiredVersion('customer', fields, () =>
        Promise.resolve(customer.version),
      );
      const body = c.req.valid('json');
      const { sms_consent: smsConsent, ...rest } = body;
      const named = Object.keys(body);
      const change = { ...rest, smsConsent, expectedVersion, named, by: operatorOf(c) };
      const changed = await updateCustomer(db, customer, change);
      c.header('etag', versionTag(changed.version));
      return c.json(customerBody(changed), 200);
    });
}

const tags = ['Customers'];
const customerResponse = (description: string) => ({
  description,
  headers: responseHeaders('ETag', 'Cache-Control'),
  content: { 'application/json': { schema: customerSchema } },
});

const availabilityRoute = createRoute({
  method: 'get',
  path: '/v1/customers/availability',
  operationId: 'getEmailAvailability',
  'x-role': 'storefront',
  tags,
  summary: 'Ask whether an e-mail may register',
  description:
    'A guest may, like an unknown address. Limited per API key and per e-mail, with `POST /v1/customers`.',
  request: { query: availabilityQuery },
  responses: {
    200: {
      description: 'Whether no registered customer has the e-mail.',
      content: { 'application/json': { schema: availabilitySchema } },
    },
    ...problems('too_many_requests'),
  },
});

const registerRoute = createRoute({
  method: 'post',
  path: '/v1/customers',
  operationId: 'registerCustomer',
  'x-role': 'storefront',
  tags,
  summary: 'Register a customer; a guest of that e-mail becomes registered',
  request: {
    headers: idempotencyHeader,
    body: { required: true, content: { 'application/json': { schema: newCustomerBody } } },
  },
  responses: {
    201: {
      description: 'Registered. `Location` is the customer.',
      headers: responseHeaders('Location'),
      content: { 'application/json': { schema: customerSchema } },
    },
    ...problems('email_taken', 'too_many_requests'),
  },
});

const showRoute = createRoute({
  method: 'get',
  path: '/v1/customers/{id}',
  operationId: 'getCustomer',
  'x-role': 'storefront',
  tags,
  summary: 'Show a customer, registered or a guest',
  request: { params: customerParam, headers: z.object(ifNoneMatch) },
  responses: {
    200: customerResponse('The customer.'),
    ...notModified,
    ...problems('customer_not_found'),
  },
});

const changeRoute = createRoute({
  method: 'patch',
  path: '/v1/customers/{id}',
  operationId: 'updateCustomer',
  'x-role': 'storefront',
  tags,
  summary: 'Change what is named; null removes the phone or the language',
  request: {
    params: customerParam,
    headers: z.object(writePreconditions),
    body: { required: true, content: { 'application/json': { schema: changeCustomerBody } } },
  },
  responses: { 200: customerResponse('Changed.'), ...problems('customer_not_found') },
});
