/** What every request body must be: without a content coding, small, and JSON unless it is a file. */
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ProblemError } from '../http/problems.ts';
import type { ApiEnv } from './request.ts';

const MAX_BODY_BYTES = 64 * 1024;
/** The call that takes a file. */
export const FILE_PATH = '/v1/imports';
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

/**
 * Refuses content codings, and larger bodies without reading all of them. Reads the body, which Hono keeps:
 * whatever reads it later meets no error of the connection.
 */
export function limitBody(maxSize: number = MAX_BODY_BYTES): MiddlewareHandler {
  const [small, file] = [atMost(maxSize), atMost(MAX_FILE_BYTES)];
  return async (c, next) => {
    let size = 0;
    try {
      await (c.req.path === FILE_PATH ? file : small)(c, async () => {
        if (c.req.raw.body !== null) size = (await c.req.arrayBuffer()).byteLength;
      });
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      // Node's error is ECONNRESET, as that of a lost database. Who sent the request is gone.
      throw new ProblemError({ code: 'malformed_json', detail: 'The body ended early.' });
    }
    // Inflating would need a second limit, for bodies that a few bytes stand for.
    if (size > 0 && !isUncoded(c.req.header('content-encoding'))) throw codedBody();
    await next();
  };
}

function atMost(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw new ProblemError({
        code: 'payload_too_large',
        detail: `The body must not exceed ${maxSize} bytes.`,
      });
    },
  });
}

/** A file is bytes until its route reads it. */
export function isFile(c: Context): boolean {
  return CSV_TYPE.test(c.req.header('content-type') ?? '');
}

/** In another encoding than UTF-8 only by mistake: its bytes decide. */
const CSV_TYPE = /^text\/csv[ \t]*(?:;|$)/i;

function isUncoded(codings = ''): boolean {
  return codings.split(',').every((each) => ['', 'identity'].includes(each.trim().toLowerCase()));
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

/** Of the calls that take a body. No other request has one that anything reads, and TRACE may have none. */
const WRITES: readonly string[] = ['POST', 'PUT', 'PATCH', 'DELETE'];

/**
 * Makes the content type what the validators compare with: without parameters, because JSON has none
 * (RFC 8259 §11), and absent when there is no body, because many clients send it nevertheless.
 */
export function normalizeContentType(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const type = c.req.header('content-type');
    if (type !== undefined && WRITES.includes(c.req.method)) {
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
