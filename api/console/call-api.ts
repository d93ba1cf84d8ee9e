/**
 * Calls of the console to the API, in this process and with the identity of the session: role,
 * validation, audit log, limits and problems are those of every other client. The console holds no
 * second logic.
 */
import type { Context } from 'hono';
import type { z } from 'zod';
import { problemSchema } from '../schemas/problems.ts';
import type { ConsoleEnv } from './page.ts';

export interface ApiCall<T> {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query; `apiPath` builds it. */
  readonly path: string;
  /** The response schema of the route. */
  readonly schema: z.ZodType<T>;
  readonly body?: unknown;
  /** Idempotency-Key, for the routes that need one: `form.key`. */
  readonly key?: string;
  readonly ifMatch?: string;
}

export type ApiProblem = z.output<typeof problemSchema>;

export type ApiResult<T> =
  | { readonly ok: true; readonly value: T; readonly etag: string | null }
  | { readonly ok: false; readonly problem: ApiProblem };

/** Never throws for a problem. Throws ZodError for a response that its schema does not describe. */
export async function callApi<T>(c: Context<ConsoleEnv>, call: ApiCall<T>): Promise<ApiResult<T>> {
  const response = await fetchApi(c, call);
  if (!response.ok) {
    return { ok: false, problem: problemSchema.parse(await response.json()) };
  }
  const body: unknown = response.status === 204 ? null : await response.json();
  return { ok: true, value: call.schema.parse(body), etag: response.headers.get('etag') };
}

/** The response itself, such as a stream. */
export async function fetchApi(
  c: Context<ConsoleEnv>,
  call: Omit<ApiCall<unknown>, 'schema'> & { readonly accept?: string },
): Promise<Response> {
  const { method = 'GET', path, body, key, ifMatch, accept } = call;
  const forwarded = c.req.header('x-forwarded-for');
  const headers = {
    'x-correlation-id': c.var.correlationId,
    ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(key !== undefined && { 'idempotency-key': key }),
    ...(ifMatch !== undefined && { 'if-match': ifMatch }),
    ...(accept !== undefined && { accept }),
  };
  const request = new Request(new URL(path, c.req.url), {
    method,
    headers,
    signal: c.req.raw.signal,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return c.var.dispatch(request);
}

/** A path with the parameters that are set. */
export function apiPath(
  path: string,
  query: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const set = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') set.set(name, String(value));
  }
  return set.size === 0 ? path : `${path}?${set.toString()}`;
}
