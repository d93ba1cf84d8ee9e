/** The route of quotes. A body that is not valid is no error here: what is wrong is the answer. */
import { createRoute, OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { invalidRequest, ProblemError } from '../http/problems.ts';
import { fieldErrors } from '../http/validation.ts';
import type { ApiEnv } from '../middleware/request.ts';
import type { CartProblem } from '../orders/cart.ts';
import { quoteCart, type QuotableCart } from '../orders/quote-cart.ts';
import { problems } from '../schemas/problems.ts';
import { quoteBody, quoteSchema, readableCart } from '../schemas/quotes.ts';
import type { Services } from '../context.ts';

export function quoteRoutes(services: Services) {
  const answer = async (c: Context<ApiEnv>, cart: QuotableCart, others: readonly CartProblem[]) => {
    const quote = await quoteCart(services, cart, others);
    return quote.id === null ? c.json(quote, 200) : c.json(quote, 201);
  };
  const answerInvalid = async (c: Context<ApiEnv>, error: z.ZodError) => {
    const { data: cart } = readableCart.safeParse(await c.req.json());
    // Without lines in a currency nothing can be checked.
    if (cart === undefined) throw new ProblemError(invalidRequest(fieldErrors('json', error)));
    return answer(c, cart, toProblems(error));
  };
  return new OpenAPIHono<ApiEnv>().openapi(
    quoteRoute,
    (c) => answer(c, c.req.valid('json'), []),
    (result, c) => (result.success ? undefined : answerInvalid(c, result.error)),
  );
}

function toProblems(error: z.ZodError): readonly CartProblem[] {
  return fieldErrors('json', error).map(({ detail, pointer = '#' }) => ({
    code: 'invalid_request',
    detail,
    pointer,
  }));
}

const content = { 'application/json': { schema: quoteSchema } };

const quoteRoute = createRoute({
  method: 'post',
  path: '/v1/quotes',
  operationId: 'quoteCart',
  'x-role': 'storefront',
  tags: ['Orders'],
  summary: 'Check a cart before it is ordered, and get its price for 15 minutes',
  description:
    'Nothing is held. Call it as often as the form changes; an order without problems is accepted ' +
    'while the units last.',
  request: { body: { required: true, content: { 'application/json': { schema: quoteBody } } } },
  responses: {
    200: { description: 'Something is wrong: `problems` has all of it.', content },
    201: { description: 'Nothing is wrong: an order with this quote has these prices.', content },
    ...problems(),
  },
});
