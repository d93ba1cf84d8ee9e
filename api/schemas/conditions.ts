/** Headers of requests and responses, for the API reference. */
import { z } from '@hono/zod-openapi';

/** Headers of a response, which api/openapi/info.ts describes. */
export function responseHeaders(...names: readonly string[]) {
  return Object.fromEntries(
    names.map((name) => [name, { $ref: `#/components/headers/${name}` }] as const),
  );
}

/** The response to a conditional read of what the client has already. */
export const notModified = {
  304: { description: 'Not modified.', headers: responseHeaders('ETag', 'Cache-Control') },
} as const;

/** Without an example where a reader who tries the call should not send one. */
const optionalHeader = (description: string, example?: string) =>
  z
    .string()
    .optional()
    .openapi({ description, ...(example !== undefined && { example }) });

export const ifNoneMatch = {
  'if-none-match': optionalHeader(
    'The ETag of your copy, such as "v2". Returns 304 if it is current.',
  ),
};
/** Of every write of a resource that has an entity tag: both are evaluated (RFC 9110 §13.2.2). */
export const writePreconditions = {
  'if-match': optionalHeader(
    'The ETag of the version to change, such as "v2", or *. Returns 412 if it has changed.',
  ),
  'if-none-match': optionalHeader('Returns 412 if the resource has this ETag; *: if it exists.'),
};
export const prefer = {
  prefer: optionalHeader(
    'wait=N delays the response until the order is settled, at most N seconds.',
    'wait=20',
  ),
};
export const preferInspectable = {
  prefer: optionalHeader(
    "inspectable runs each step of the checkout as an ordinary activity, with a bar, duration and attempts in Temporal's Web UI. Such an order costs more than another one.",
    'inspectable',
  ),
};
