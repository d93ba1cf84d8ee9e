/** Problems on the wire (RFC 9457). The codes are in api/http/problems.ts. */
import { z } from '@hono/zod-openapi';
import type { ProblemCode } from '../http/problems.ts';

export const problemSchema = z
  .object({
    type: z.string().openapi({
      format: 'uri-reference',
      description: 'A description of the code.',
      example: '/docs/errors#order_not_found',
    }),
    title: z.string().openapi({ description: 'The same for every problem with this code.' }),
    status: z.number().int().openapi({ description: 'The status code of the response.' }),
    detail: z.string().openapi({ description: 'What is wrong with this request.' }),
    code: z.string().openapi({ example: 'order_not_found' }),
    request_id: z.string().openapi({ description: 'Identifies the request in the log.' }),
    retryable: z.boolean().optional().openapi({
      description: 'True: the same request may succeed later. Retry it with the same key.',
    }),
    errors: z
      .array(
        z.object({
          detail: z.string(),
          pointer: z.string().optional().openapi({
            description: 'The place in the body: a JSON pointer (RFC 6901) as a URI fragment.',
            example: '#/lines/0/sku',
          }),
          parameter: z.string().optional().openapi({ description: 'In the path or the query.' }),
          header: z.string().optional(),
        }),
      )
      .optional()
      .openapi({ description: 'The invalid parts of the request, at most 100.' }),
  })
  .openapi('Problem');

/**
 * The problems of an operation beyond those that every operation has; api/openapi/document.ts adds
 * them and groups all by status.
 */
export function problems(...codes: readonly ProblemCode[]) {
  return {
    default: {
      description: 'A problem.',
      content: { 'application/problem+json': { schema: problemSchema } },
      'x-problems': codes,
    },
  };
}
