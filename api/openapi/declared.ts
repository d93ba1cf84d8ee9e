/**
 * Holds every request to what the OpenAPI document declares for its operation: the role, the query
 * parameters, a body, preconditions. What no operation reads is refused instead of ignored.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { ROLES } from '../../prisma/access/api-keys.ts';
import { failedPrecondition } from '../http/etag.ts';
import { ProblemError } from '../http/problems.ts';
import { routeOf, type ApiEnv } from '../middleware/request.ts';
import type { Document, Operation } from './document.ts';

/** Put it before the routes and after authentication. Throws ProblemError. */
export function holdToDocument(document: () => Document): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const path = routeOf(c).replaceAll(/:([^/]+)/g, '{$1}');
    const methods = document().paths[path];
    const operation = methods?.[c.req.method === 'HEAD' ? 'get' : c.req.method.toLowerCase()];
    // Unknown paths and wrong methods get 404 and 405.
    if (methods === undefined || operation === undefined) return next();
    requireRole(c, operation);
    refuseUnknownParameters(c, operation);
    // Those of a read are evaluated after it (conditional-read.ts), and where there is an entity tag.
    const reads = ['GET', 'HEAD'].includes(c.req.method);
    if (!reads && !declares(operation, 'header', 'if-none-match')) {
      // An empty tag: a representation that only `*` matches.
      const failed = failedPrecondition(fieldsOf(c), 'get' in methods ? '' : null);
      if (failed !== null) throw noEntityTag(failed);
    }
    const { required = false, content = {} } = operation.requestBody ?? {};
    if (required && 'application/json' in content) await requireBody(c);
    await next();
  };
}

/** Allows the role and those above it: storefront < operator < admin. */
function requireRole(c: Context<ApiEnv>, { 'x-role': role }: Operation): void {
  if (ROLES.indexOf(c.var.apiKey.role) >= ROLES.indexOf(role)) return;
  throw new ProblemError({
    code: 'forbidden',
    detail: `This call requires the role ${role}; the API key has the role ${c.var.apiKey.role}.`,
    headers: {
      'www-authenticate': `Bearer realm="holdfast", error="insufficient_scope", scope="${role}"`,
    },
  });
}

function refuseUnknownParameters(c: Context<ApiEnv>, operation: Operation): void {
  const unknown = Object.keys(c.req.queries()).filter(
    (name) => !declares(operation, 'query', name),
  );
  if (unknown.length === 0) return;
  const known = operation.parameters.filter((each) => each.in === 'query').map(({ name }) => name);
  const list = known.length === 0 ? 'none' : known.join(', ');
  const detail = `Query parameters of this call: ${list}.`;
  const errors = unknown.map((parameter) => ({ detail: 'Unknown query parameter.', parameter }));
  throw new ProblemError({ code: 'unknown_parameter', detail, errors });
}

function fieldsOf(c: Context<ApiEnv>) {
  return { ifMatch: c.req.header('if-match'), ifNoneMatch: c.req.header('if-none-match') };
}

function noEntityTag(failed: string): ProblemError {
  const detail = `This call has no entity tag to compare ${failed} with.`;
  return new ProblemError({ code: 'precondition_failed', detail });
}

async function requireBody(c: Context<ApiEnv>): Promise<void> {
  if (c.req.header('content-type') !== undefined) return;
  if (c.req.raw.body !== null && (await c.req.arrayBuffer()).byteLength > 0) return;
  throw new ProblemError({ code: 'malformed_json', detail: 'This call requires a JSON body.' });
}

function declares({ parameters }: Operation, place: string, name: string): boolean {
  return parameters.some((each) => each.in === place && each.name === name);
}
