/** The `wait` preference of RFC 7240. */
import { listMembers } from './field-list.ts';

const MAX_WAIT_SECONDS = 30;

/**
 * The seconds that the client is willing to wait, at most 30; null without a preference. Of two only
 * the first counts, and one that is no number is ignored (RFC 7240 §2).
 */
export function waitPreference(field: string | undefined): number | null {
  const wait = listMembers(field).find(({ name }) => name === 'wait')?.value;
  if (wait === undefined || !/^\d{1,9}$/.test(wait)) return null;
  return Math.min(Number(wait), MAX_WAIT_SECONDS);
}
