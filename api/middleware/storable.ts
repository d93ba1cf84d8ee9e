/**
 * Refuses a request with text that PostgreSQL cannot keep, before a route sees it: NUL, half a
 * surrogate pair, bytes that are not UTF-8. What a field may hold beyond that is its schema's.
 */
import type { MiddlewareHandler } from 'hono';
import { isStorable, unstorablePath } from '../../domain/text.ts';
import { invalidRequest, ProblemError, type FieldError } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import { isFile } from './request-body.ts';
import type { ApiEnv } from './request.ts';

/** For the parts of a request that are text: path, query and JSON body. Headers are ASCII, a file is bytes. */
export function refuseUnstorable(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    // Nothing has such a name. `%00` is decoded with the parameter, or was with the path.
    if (/%00|\0/.test(c.req.path)) throw notFound();
    for (const [parameter, values] of Object.entries(c.req.queries())) {
      if (!values.every(isStorable)) throw unstorable({ parameter });
    }
    if (c.req.raw.body !== null) {
      const body = await c.req.arrayBuffer();
      const path = isFile(c) ? null : unstorableIn(decode(body));
      if (path !== null) throw unstorable({ pointer: jsonPointer(path) });
    }
    await next();
  };
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/** Throws ProblemError `malformed_json`: JSON is UTF-8 (RFC 8259, 8.1), and a guess would be stored. */
function decode(body: ArrayBuffer): string {
  try {
    return UTF_8.decode(body);
  } catch {
    throw new ProblemError({ code: 'malformed_json', detail: 'Send the body in UTF-8.' });
  }
}

/** In JSON only an escape can stand for such a character, so a body without one needs no look. */
const SUSPECT = /\\u(?:0000|[Dd][89A-Fa-f])/;

function unstorableIn(text: string): readonly PropertyKey[] | null {
  if (!SUSPECT.test(text)) return null;
  try {
    return unstorablePath(JSON.parse(text));
  } catch {
    // The route refuses it as malformed.
    return null;
  }
}

function unstorable(where: Omit<FieldError, 'detail'>): ProblemError {
  const detail = 'The text contains NUL or half of a surrogate pair.';
  return new ProblemError(invalidRequest([{ detail, ...where }]));
}

function notFound(): ProblemError {
  return new ProblemError({ code: 'not_found', detail: 'No resource has this path.' });
}
