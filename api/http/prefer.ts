/** The preferences of RFC 7240 that are known: `wait` and `inspectable`. */
import { listMembers } from './field-list.ts';

const MAX_WAIT_SECONDS = 30;
/** The preference of `POST /v1/orders`, as it is sent and answered. */
export const INSPECTABLE = 'inspectable';

/**
 * The seconds that the client is willing to wait, at most 30; null without a preference. Of two only
 * the first counts, and one that is no number is ignored (RFC 7240 §2).
 */
export function waitPreference(field: string | undefined): number | null {
  const wait = listMembers(field).find(({ name }) => name === 'wait')?.value;
  if (wait === undefined || !/^\d{1,9}$/.test(wait)) return null;
  return Math.min(Number(wait), MAX_WAIT_SECONDS);
}

/** True when the client prefers a checkout that runs every step as an ordinary activity. */
export function prefersInspectable(field: string | undefined): boolean {
  return listMembers(field).some(({ name, value }) => name === INSPECTABLE && value === '');
}
