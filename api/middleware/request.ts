/** Middleware of every request: ids, log line, metrics, errors, authentication. */
import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { matchedRoutes } from 'hono/route';
import { readTraceparent, traceIdOf } from '../../telemetry/traceparent.ts';
import type { ApiKey } from '../../prisma/access/api-keys.ts';
import { isDatabaseUnavailable, isValueRefused } from '../../prisma/client/errors.ts';
import type { Operator } from '../../prisma/access/operator-actions.ts';
import type { Decider } from '../../services/redrive.ts';
import { inSpan, recordsSpans, type OpenSpan, type SpanStart } from '../../telemetry/tracing.ts';
import { clientAddress } from '../http/client-address.ts';
import { ProblemError, problemResponse, type Problem } from '../http/problems.ts';
import { requestClassOf } from '../limits/request-class.ts';
import type { Services } from '../context.ts';

/** The caller of a request from this process. No client can send a symbol. */
export const IDENTITY: unique symbol = Symbol('identity');

export interface ApiEnv {
  /** Nothing when the application is called without a server. */
  Bindings: Partial<HttpBindings> & { readonly [IDENTITY]?: ApiKey };
  Variables: {
    requestId: string;
    correlationId: string;
    /** The trace of the request: its span when spans are recorded, or as it was received. */
    traceparent: string | null;
    /** The request's span. */
    span: OpenSpan;
    apiKey: ApiKey;
    orderId: string | undefined;
    /** Aborted when the client disconnects or the deadline passes: then no new work is started. */
    requestDeadline: AbortSignal;
    /** Releases the permit during `wait`, then acquires a new one. Throws ProblemError when rejected. */
    releaseWhileWaiting: <T>(wait: () => Promise<T>) => Promise<T>;
  };
}

/** Excludes e-mail addresses, because these ids are written to logs, memos and events. */
const CORRELATION_ID = /^[A-Za-z0-9._:/=+-]{1,128}$/;
/** Long enough for the pool to recover, short enough for a shopper to retry. */
const DATABASE_RETRY_SECONDS = 2;
const UNKNOWN_KEY_RETRY_SECONDS = 1;

/** Accepts `X-Correlation-Id` and `traceparent`, and returns the former. */
export function correlation(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const header = c.req.header('x-correlation-id') ?? '';
    const correlationId = CORRELATION_ID.test(header) ? header : c.var.requestId;
    c.set('correlationId', correlationId);
    await inSpan(spanOf(c), async (span) => {
      c.set('span', span);
      c.set('traceparent', span.traceparent);
      await next();
      if (recordsSpans()) describeSpan(c);
    });
    // Set last, because a problem is a new response without the headers set earlier.
    c.res.headers.set('x-request-id', c.var.requestId);
    c.res.headers.set('x-correlation-id', correlationId);
  };
}

/** Only calls of clients and providers begin a trace: no probe, scrape or page. */
const BEGINS_TRACE = /^\/(?:v1|callbacks)\//;

function spanOf(c: Context<ApiEnv>): SpanStart {
  return {
    name: c.req.method,
    kind: 'server',
    parent: readTraceparent(c.req.header('traceparent')),
    isRoot: BEGINS_TRACE.test(c.req.path),
  };
}

/** Attributes of https://opentelemetry.io/docs/specs/semconv/http/http-spans/, without path and query. */
function describeSpan(c: Context<ApiEnv>): void {
  const { method } = c.req;
  const { status } = c.res;
  const [route, orderId] = [routeOf(c), c.get('orderId')];
  c.var.span.describe({
    name: `${method} ${route}`,
    attributes: {
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
      ...(orderId !== undefined && { 'order.id': orderId }),
    },
    error: status >= 500 ? String(status) : null,
  });
}

/** A 503 of these reports a state, not a failure. The unavailable part logs its own outage. */
const PROBES: ReadonlySet<string> = new Set(['/readyz', '/healthz']);

/** Writes one log line and one metric per request, without bodies, names, tokens or query strings. */
export function requestLog(services: Services): MiddlewareHandler<ApiEnv> {
  const { log, metrics, isDraining, trustedProxies = 0 } = services;
  return async (c, next) => {
    const startedAt = performance.now();
    await next();
    const ms = performance.now() - startedAt;
    const route = routeOf(c);
    const { status } = c.res;
    const method = METHODS.includes(c.req.method) ? c.req.method : OTHER_METHOD;
    metrics.observeRequest({ method, route, status, seconds: ms / 1_000 });
    if (isDraining()) c.res.headers.set('connection', 'close');
    log[status >= 500 && !PROBES.has(route) ? 'warn' : 'info'](
      {
        method: c.req.method,
        route,
        status,
        ms: Math.round(ms * 10) / 10,
        client_ip: clientAddress({
          peer: c.env?.incoming?.socket.remoteAddress,
          forwardedFor: c.req.header('x-forwarded-for'),
          trustedProxies,
        }),
        request_id: c.var.requestId,
        correlation_id: c.var.correlationId,
        trace_id: traceIdOf(c.var.traceparent ?? ''),
        role: c.get('apiKey')?.role,
        api_key_id: c.get('apiKey')?.id,
        order_id: c.get('orderId'),
      },
      'request',
    );
  };
}

/** Turns any error into a problem. An unknown error exposes only the request id. */
export function onError({ log }: Services) {
  return (error: Error, c: Context<ApiEnv>): Response => {
    const problem = toProblem(error);
    const about = { err: error, request_id: c.var.requestId, route: routeOf(c) };
    if (problem.code === 'internal_error') log.error(about, 'internal error');
    if (isValueRefused(error)) log.error(about, 'the database refused a value of the request');
    return problemResponse(problem, c.var.requestId);
  };
}

/** Identifies the caller by `Authorization: Bearer <key>` (RFC 6750), or by `IDENTITY`. */
export function authenticate({ apiKeys }: Services): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const identity = c.env?.[IDENTITY];
    if (identity !== undefined) {
      c.set('apiKey', identity);
      return next();
    }
    const [, key] = /^Bearer +([\x21-\x7e]+) *$/i.exec(c.req.header('authorization') ?? '') ?? [];
    // Revocation is known to the database alone; what it does not answer needs no better proof.
    const mayBeStale = requestClassOf(c.req) === 'catalog';
    const found = key === undefined ? null : await apiKeys.find(key, { mayBeStale });
    if (found === 'busy') throw new ProblemError(tooManyUnknownKeys());
    if (found === null) {
      const error = key === undefined ? '' : ', error="invalid_token"';
      throw new ProblemError({
        code: 'unauthorized',
        detail: 'Send a valid API key as Authorization: Bearer <key>.',
        headers: { 'www-authenticate': `Bearer realm="holdfast"${error}` },
      });
    }
    c.set('apiKey', found);
    return next();
  };
}

function tooManyUnknownKeys(): Problem {
  return {
    code: 'overloaded',
    detail: 'Too many unknown API keys are being checked. Retry later.',
    retryAfterSeconds: UNKNOWN_KEY_RETRY_SECONDS,
  };
}

/** Whether it is a call of the console, whose session has the role of an operator at least. */
export function isOfConsole(c: Context<ApiEnv>): boolean {
  return c.env?.[IDENTITY] !== undefined;
}

/** Who holds a stream or a wait, and until when at most. */
export function clientOf(c: Context<ApiEnv>) {
  return { apiKeyId: c.var.apiKey.id, signal: c.req.raw.signal };
}

/** The caller, for the audit log. */
export function operatorOf(c: Context<ApiEnv>): Operator {
  return { apiKeyId: c.var.apiKey.id, correlationId: c.var.correlationId };
}

/** The caller, as the one who decides about a dead letter. */
export function deciderOf(c: Context<ApiEnv>): Decider {
  return { ...operatorOf(c), name: c.var.apiKey.name };
}

/** The pattern of the route that handles the request, also when a middleware responded before it. */
export function routeOf(c: Context): string {
  return matchedRoutes(c).find(({ method }) => method !== 'ALL')?.path ?? UNMATCHED;
}

/** A client may send any path with any method; the metrics have one label for all that are unknown. */
const UNMATCHED = 'unmatched';
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const OTHER_METHOD = 'other';

function toProblem(error: Error): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof HTTPException) return fromHttpException(error);
  if (isDatabaseUnavailable(error)) return databaseUnavailable();
  if (isValueRefused(error)) return valueRefused();
  return { code: 'internal_error', detail: 'internal error' };
}

/** The net under the schemas of the requests, so that a value which they let through is no 500. */
function valueRefused(): Problem {
  return {
    code: 'invalid_request',
    detail:
      'The request contains a character, number or time that cannot be stored. Nothing was changed.',
  };
}

/** The response to every request while the database is unavailable. */
export function databaseUnavailable(): Problem {
  return {
    code: 'database_unavailable',
    detail: 'The request was not processed. Retry with the same Idempotency-Key.',
    retryAfterSeconds: DATABASE_RETRY_SECONDS,
  };
}

function fromHttpException(error: HTTPException): Problem {
  if (error.status === 415) {
    return { code: 'unsupported_media_type', detail: 'Send the body as application/json.' };
  }
  if (error.status === 400)
    return { code: 'malformed_json', detail: 'Send a body that is valid JSON.' };
  return { code: 'internal_error', detail: 'internal error' };
}
