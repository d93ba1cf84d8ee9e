/**
 * The OpenAPI document: what the routes declare, completed with what holds for all of them, which is
 * roles, problems, headers and identifiers. It is built once.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import { ROLES } from '../../prisma/access/api-keys.ts';
import type { ProblemCode } from '../http/problems.ts';
import type { ApiEnv } from '../middleware/request.ts';
import { COMPONENT_HEADERS, INFO, SECURITY_SCHEMES, TAGS } from './info.ts';
import {
  byStatus,
  headerReferences,
  isProblemCode,
  problemResponse,
  problemSchemas,
  responseName,
} from './problem-responses.ts';

const record = z.record(z.string(), z.unknown());
const operationSchema = z.looseObject({
  operationId: z.string(),
  'x-role': z.enum(ROLES),
  description: z.string().optional(),
  parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })).default([]),
  requestBody: z
    .looseObject({ required: z.boolean().default(false), content: record.default({}) })
    .optional(),
  responses: z.record(z.string(), z.looseObject({ headers: record.optional() })),
});
const documentSchema = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
  components: z.looseObject({ schemas: record }),
});

export type Operation = z.infer<typeof operationSchema>;
export type Document = z.infer<typeof documentSchema>;

/** Call the result after all routes are registered. Throws when a route lacks its role or its id. */
export function createDocument(app: OpenAPIHono<ApiEnv>): () => Document {
  let built: Document | undefined;
  return () => (built ??= build(app));
}

function build(app: OpenAPIHono<ApiEnv>): Document {
  const generated = app.getOpenAPI31Document({ openapi: '3.1.0', ...INFO });
  const document = documentSchema.parse(JSON.parse(JSON.stringify(generated), withoutFlags));
  const used: Used = { responses: {}, codes: new Set() };
  for (const methods of Object.values(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      methods[method] = complete(operation, method, used);
    }
  }
  document['tags'] = TAGS;
  Object.assign(document.components, {
    securitySchemes: SECURITY_SCHEMES,
    headers: COMPONENT_HEADERS,
    responses: used.responses,
    schemas: { ...document.components.schemas, ...problemSchemas(used.codes) },
  });
  return document;
}

/** A pattern in JSON Schema is an expression without delimiters; the generator leaves the flags. */
function withoutFlags(this: unknown, key: string, value: unknown): unknown {
  return key === 'pattern' && typeof value === 'string' ? value.replace(/(?<!\\)\/u$/, '') : value;
}

/** The components that operations refer to. */
interface Used {
  readonly responses: Record<string, unknown>;
  readonly codes: Set<ProblemCode>;
}

function complete(operation: Operation, method: string, used: Used): Operation {
  const { default: declared, ...own } = operation.responses;
  const successes: Operation['responses'] = method === 'get' ? { 304: WITHOUT_TAG, ...own } : own;
  const responses: Operation['responses'] = {};
  const extra = isKeyed(operation) ? ['Idempotent-Replayed'] : [];
  for (const [status, response] of Object.entries(successes)) {
    const headers = { ...response.headers, ...headerReferences(...extra) };
    responses[status] = { ...response, headers };
  }
  for (const [status, codes] of byStatus(problemsOf(operation, method, declared))) {
    const name = responseName(codes);
    used.responses[name] = problemResponse(status, codes);
    for (const code of codes) used.codes.add(code);
    responses[status] = { $ref: `#/components/responses/${name}` };
  }
  const { description = '', parameters } = operation;
  return {
    ...operation,
    description: `${description} Requires the role \`${operation['x-role']}\`.`.trim(),
    parameters: parameters.map((each) => (each.in === 'path' ? { ...each, required: true } : each)),
    responses,
  };
}

function problemsOf(
  operation: Operation,
  method: string,
  declared: Operation['responses'][string] | undefined,
): ReadonlySet<ProblemCode> {
  const { parameters } = operation;
  const own = z.array(z.string()).default([]).parse(declared?.['x-problems']);
  const writes = method !== 'get';
  return new Set<ProblemCode>([
    ...own.filter(isProblemCode),
    ...EVERY,
    ...(parameters.some((each) => each.in === 'path') ? (['not_found'] as const) : []),
    ...(operation['x-role'] === 'storefront' ? [] : (['forbidden'] as const)),
    ...(writes ? WRITE : []),
    ...(isKeyed(operation) ? KEYED : []),
  ]);
}

function isKeyed({ parameters }: Operation): boolean {
  return parameters.some(({ name }) => name === 'idempotency-key');
}

/** Of a read that declares no 304 of its own. */
const WITHOUT_TAG: Operation['responses'][string] = {
  description: 'The response to `If-None-Match: *`: it has no entity tag.',
};

const EVERY = [
  'unknown_parameter',
  'unauthorized',
  'precondition_failed',
  'invalid_request',
  'internal_error',
  'overloaded',
  'database_unavailable',
] as const satisfies ProblemCode[];
const WRITE = [
  'malformed_json',
  'payload_too_large',
  'unsupported_media_type',
] as const satisfies ProblemCode[];
const KEYED = [
  'idempotency_key_required',
  'request_in_flight',
  'idempotency_key_reused',
] as const satisfies ProblemCode[];
