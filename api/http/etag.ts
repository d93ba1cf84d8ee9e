/** Conditional requests (RFC 9110 §13): entity tags made, compared and answered. */
import { createHash } from 'node:crypto';

/** The tag of a resource that counts its versions. */
export function versionTag(version: number): string {
  return `"v${version}"`;
}

/** The tag of a body that has no version of its own. */
export function contentTag(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
}

/** True when If-None-Match names the tag: the client has it. Weak comparison, as RFC 9110 says. */
export function alreadyHas(ifNoneMatch: string | undefined, tag: string): boolean {
  return ifNoneMatch !== undefined && namesTag(ifNoneMatch, tag);
}

/**
 * The version If-Match asks for: null when it is absent; `current` for `*`; -1, which is never a
 * version, when it names none of ours.
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
