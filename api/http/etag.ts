/** Entity tags for conditional requests (RFC 9110 §13). */
import { createHash } from 'node:crypto';

/** The tag of a versioned resource. */
export function versionTag(version: number): string {
  return `"v${version}"`;
}

/** The tag of a body without a version. */
export function contentTag(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
}

/** True when If-None-Match contains the tag. Uses weak comparison, as RFC 9110 requires. */
export function alreadyHas(ifNoneMatch: string | undefined, tag: string): boolean {
  return ifNoneMatch !== undefined && namesTag(ifNoneMatch, tag);
}

/**
 * The version that If-Match requires: null without the header, `current` for `*`, and -1, which never
 * matches, for an unknown tag.
 */
export function expectedVersion(ifMatch: string | undefined): number | 'current' | null {
  if (ifMatch === undefined) return null;
  if (ifMatch.trim() === '*') return 'current';
  const [, version] = /^"v(\d{1,9})"$/.exec(ifMatch.trim()) ?? [];
  return version === undefined ? -1 : Number(version);
}

function namesTag(header: string, tag: string): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((each) => each.trim().replace(/^W\//, '') === tag);
}
