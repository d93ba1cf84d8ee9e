/**
 * W3C Trace Context, its header `traceparent`: https://www.w3.org/TR/trace-context/#traceparent-header.
 * A stranger's text: what is no traceparent is none, and never an error.
 */

const FORM =
  /^(?!ff)(?<version>[0-9a-f]{2})-(?<traceId>(?!0{32})[0-9a-f]{32})-(?<parentId>(?!0{16})[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?$/;
const SAMPLED = 1;

/** As version 00 has it, or null. Of a later version what 00 knows is kept, as the standard asks. */
export function readTraceparent(text: unknown): string | null {
  if (typeof text !== 'string') return null;
  const { version, traceId, parentId, flags = '', more } = FORM.exec(text)?.groups ?? {};
  if (version === undefined) return null;
  if (version === '00') return more === undefined ? text : null;
  const sampled = Number.parseInt(flags, 16) & SAMPLED;
  return `00-${traceId}-${parentId}-0${sampled}`;
}

/** The id of the trace, by which its parts are found. */
export function traceIdOf(traceparent: string): string | undefined {
  return FORM.exec(traceparent)?.groups?.['traceId'];
}

/** The same trace as somebody is told of it whose caller is this span (16 hexadecimal digits). */
export function withParent(traceparent: string, parentId: string): string {
  return traceparent.replace(FORM, `$<version>-$<traceId>-${parentId}-$<flags>`);
}
