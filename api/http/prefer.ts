/** The `wait` preference of RFC 7240. */

const MAX_WAIT_SECONDS = 30;

/** The seconds that the client is willing to wait, at most 30; null without a preference. */
export function waitPreference(header: string | undefined): number | null {
  for (const preference of (header ?? '').split(/[,;]/)) {
    const [, seconds] = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*$/i.exec(preference) ?? [];
    if (seconds !== undefined) return Math.min(Number(seconds), MAX_WAIT_SECONDS);
  }
  return null;
}
