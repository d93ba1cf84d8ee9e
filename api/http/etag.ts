/** Entity tags and preconditions (RFC 9110 §8.8.3 and §13). */
import { createHash } from 'node:crypto';
import { ProblemError } from './problems.ts';

/** The tag of a versioned resource. */
export function versionTag(version: number): string {
  return `"v${version}"`;
}

/** The tag of a representation without a version: it changes with any byte. */
export function contentTag(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
}

/** The precondition that is false; null when the request may proceed. */
export type FailedPrecondition = 'if-match' | 'if-none-match' | null;

/** The fields of a request, as its schema gives them. */
export interface PreconditionFields {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}

/**
 * The only version of the resource that a write may change: 0 when it must not exist yet, null for any.
 * Throws ProblemError when the preconditions are false at the version that `read` gives, null for none.
 */
export async function requiredVersion(
  resource: string,
  fields: PreconditionFields,
  read: () => Promise<number | null>,
): Promise<number | null> {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = fields;
  if (ifMatch === undefined && ifNoneMatch === undefined) return null;
  const version = await read();
  const tag = version === null ? null : versionTag(version);
  if (failedPrecondition({ ifMatch, ifNoneMatch }, tag) !== null) {
    throw notAtVersion(resource, version);
  }
  return version ?? 0;
}

/** ProblemError 412: the resource changed, or null: it does not exist. */
export function notAtVersion(resource: string, current: number | null): ProblemError {
  const detail =
    current === null
      ? `The ${resource} does not exist.`
      : `The ${resource} is now at version ${current}. Read it again.`;
  return new ProblemError({ code: 'precondition_failed', detail });
}

/**
 * Evaluates If-Match, then If-None-Match, in the order of §13.2.2. `tag` is that of the current
 * representation, empty for one without a tag, and null when there is none. Fields with times are
 * ignored, because no resource has a modification time.
 */
export function failedPrecondition(
  fields: { readonly ifMatch: string | undefined; readonly ifNoneMatch: string | undefined },
  tag: string | null,
): FailedPrecondition {
  const { ifMatch, ifNoneMatch } = fields;
  // If-Match compares strongly: a weak tag never matches. If-None-Match compares weakly.
  if (ifMatch !== undefined && !names(ifMatch, tag, (each) => each)) return 'if-match';
  const matches = ifNoneMatch !== undefined && names(ifNoneMatch, tag, withoutWeakness);
  return matches ? 'if-none-match' : null;
}

const TAG = '(?:W/)?"[\\x21\\x23-\\x7e\\x80-\\xff]*"';
const EACH_TAG = new RegExp(TAG, 'g');
const TAGS = new RegExp(`^[\\s,]*${TAG}(?:\\s*,[\\s,]*${TAG})*[\\s,]*$`);

function names(field: string, tag: string | null, form: (tag: string) => string): boolean {
  if (tag === null) return false;
  if (field.trim() === '*') return true;
  // A malformed list names nothing.
  return TAGS.test(field) && (field.match(EACH_TAG) ?? []).some((each) => form(each) === tag);
}

function withoutWeakness(tag: string): string {
  return tag.replace(/^W\//, '');
}
