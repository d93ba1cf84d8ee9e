/** What the tests read out of answers. Parsed loosely: exact bodies are compared as such. */
import { z } from 'zod';

const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  code: z.string(),
  request_id: z.string(),
  retryable: z.boolean().optional(),
  errors: z.array(z.looseObject({ detail: z.string(), pointer: z.string().optional() })).optional(),
});
export type ProblemBody = z.infer<typeof problem>;

/** The problem of an error answer. Throws when the answer is not one as RFC 9457 wants it. */
export async function problemOf(response: Response): Promise<ProblemBody> {
  const type = response.headers.get('content-type');
  if (type !== 'application/problem+json') throw new Error(`${response.status} is ${type}`);
  const body = problem.parse(await response.json());
  if (body.status !== response.status) throw new Error(`${body.status} sent as ${response.status}`);
  return body;
}

const order = z.looseObject({ id: z.string(), status: z.string(), version: z.number() });

export async function orderOf(response: Response): Promise<z.infer<typeof order>> {
  return order.parse(await response.json());
}

const list = z.looseObject({ data: z.array(z.looseObject({})), has_more: z.boolean() });

export async function listOf(response: Response): Promise<z.infer<typeof list>> {
  return list.parse(await response.json());
}
