/**
 * W3C Trace Context, its header `traceparent`: https://www.w3.org/TR/trace-context/#traceparent-header.
 * Untrusted input: an invalid traceparent is ignored.
 */

const FORM =
  /^(?!ff)(?<version>[0-9a-f]{2})-(?<traceId>(?!0{32})[0-9a-f]{32})-(?<parentId>(?!0{16})[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?$/;
const SAMPLED = 1;

/** In the form of version 00, or null. A later version is reduced to it, as the standard demands. */
export function readTraceparent(text: unknown): string | null {
  if (typeof text !== 'string') return null;
  const { version, traceId, parentId, flags = '', more } = FORM.exec(text)?.groups ?? {};
  if (version === undefined) return null;
  if (version === '00') return more === undefined ? text : null;
  const sampled = Number.parseInt(flags, 16) & SAMPLED;
  return `00-${traceId}-${parentId}-0${sampled}`;
}

/** The trace's id. */
export function traceIdOf(traceparent: string): string | undefined {
  return FORM.exec(traceparent)?.groups?.['traceId'];
}

/** Whether its spans are to be recorded. */
export function isSampled(traceparent: string): boolean {
  const flags = FORM.exec(traceparent)?.groups?.['flags'] ?? '';
  return (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED;
}

/** The id of the span that sent it. */
export function parentIdOf(traceparent: string): string | undefined {
  return FORM.exec(traceparent)?.groups?.['parentId'];
}

/** The same trace with another parent span (16 hexadecimal digits). */
export function withParent(traceparent: string, parentId: string): string {
  return traceparent.replace(FORM, `$<version>-$<traceId>-${parentId}-$<flags>`);
}
