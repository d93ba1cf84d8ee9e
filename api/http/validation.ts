/** How a failed parse of a request becomes field errors. */
import type { z } from '@hono/zod-openapi';
import type { FieldError } from './problems.ts';

/** Failed checks as field errors: JSON pointers (RFC 6901) for bodies, names for the rest. */
export function fieldErrors(target: string, error: z.ZodError): readonly FieldError[] {
  return error.issues.flatMap((issue) => {
    const paths =
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => [...issue.path, key])
        : [issue.path];
    return paths.map((path) => ({ detail: issue.message, ...fieldLocation(target, path) }));
  });
}

/** A JSON pointer in its URI fragment form, as RFC 9457 writes it: `#/lines/0/sku`. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  const parts = path.map((part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1'));
  return ['#', ...parts].join('/');
}

function fieldLocation(target: string, path: readonly PropertyKey[]): Omit<FieldError, 'detail'> {
  if (target === 'json') return { pointer: jsonPointer(path) };
  if (target === 'header') return { header: path.join('.') };
  return { parameter: path.join('.') };
}
