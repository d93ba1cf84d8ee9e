/** What every request body must be: without a content coding, small, and JSON where there is one. */
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ProblemError } from '../http/problems.ts';
import type { ApiEnv } from './request.ts';

const MAX_BODY_BYTES = 64 * 1024;

/** Refuses content codings, and larger bodies without reading all of them. */
export function limitBody(maxSize: number = MAX_BODY_BYTES): MiddlewareHandler {
  const limit = bodyLimit({
    maxSize,
    onError: () => {
      throw new ProblemError({
        code: 'payload_too_large',
        detail: `The body must not exceed ${maxSize} bytes.`,
      });
    },
  });
  return (c, next) => {
    const coding = c.req.header('content-encoding') ?? '';
    // Inflating would need a second limit, for bodies that a few bytes stand for.
    if (!/^[\s,]*(?:identity[\s,]*)*$/i.test(coding)) throw codedBody();
    return limit(c, next);
  };
}

function codedBody(): ProblemError {
  return new ProblemError({
    code: 'unsupported_media_type',
    detail: 'Send the body without a content coding such as gzip.',
    headers: { 'accept-encoding': 'identity' },
  });
}

/** A JSON media type with parameters in any form that RFC 9110 §5.6.6 allows. */
const JSON_TYPE = /^(application\/(?:[\w.-]+\+)?json)[ \t]*(?:;|$)/i;

/**
 * Makes the content type what the validators compare with: without parameters, because JSON has none
 * (RFC 8259 §11), and absent when there is no body, because many clients send it nevertheless.
 */
export function normalizeContentType(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const type = c.req.header('content-type');
    if (type !== undefined && c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      const isEmpty = (await c.req.text()) === '';
      const [, json] = JSON_TYPE.exec(type) ?? [];
      if (isEmpty || (json ?? type) !== type) {
        const { url, method, signal } = c.req.raw;
        const headers = new Headers(c.req.raw.headers);
        if (isEmpty) headers.delete('content-type');
        else headers.set('content-type', json ?? type);
        // Hono keeps the text that it has read, so the new request needs no body.
        c.req.raw = new Request(url, { method, headers, signal });
      }
    }
    await next();
  };
}
