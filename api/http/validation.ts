/** Turns failed validation of a request into field errors. */
import type { z } from '@hono/zod-openapi';
import type { FieldError } from './problems.ts';

/** A body of 64 KiB can have 40,000 errors, which would be a response of 4 MB. */
const MAX_ERRORS = 100;

/**
 * Field errors with JSON pointers (RFC 6901) for bodies and names for everything else: the first
 * hundred.
 */
export function fieldErrors(target: string, error: z.ZodError): readonly FieldError[] {
  const errors = error.issues.slice(0, MAX_ERRORS).flatMap((issue) => {
    const paths =
      issue.code === 'unrecognized_keys'
        ? issue.keys.slice(0, MAX_ERRORS).map((key) => [...issue.path, key])
        : [issue.path];
    return paths.map((path) => ({ detail: issue.message, ...fieldLocation(target, path) }));
  });
  return errors.slice(0, MAX_ERRORS);
}

/** A JSON pointer as a URI fragment, as in RFC 9457: `#/lines/0/sku`. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  const parts = path.map((part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1'));
  return ['#', ...parts].join('/');
}

function fieldLocation(target: string, path: readonly PropertyKey[]): Omit<FieldError, 'detail'> {
  if (target === 'json') return { pointer: jsonPointer(path) };
  if (target === 'header') return { header: path.join('.') };
  return { parameter: path.join('.') };
}
