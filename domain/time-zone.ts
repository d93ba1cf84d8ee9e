/** Time zones by their IANA names. */
import type { Language } from './language.ts';

/** Offsets are refused: PostgreSQL reads their sign the other way round. */
export function isTimeZone(name: string): boolean {
  if (name !== 'UTC' && !name.includes('/')) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format() !== '';
  } catch {
    return false;
  }
}

const DAY_MS = 86_400_000;

/**
 * The instant (ISO 8601, UTC) at which a date such as `2026-01-31` begins in the time zone; null when it
 * is none. Where the clocks skip midnight, the day begins later.
 */
export function startOfDay(date: string, timeZone: string): string | null {
  const midnightMs = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(midnightMs)) return null;
  // The offset changes at most once in these days, so the day begins by one of the two.
  const [first] = [midnightMs - DAY_MS, midnightMs + DAY_MS]
    .map((nearMs) => midnightMs - offsetMs(nearMs, timeZone))
    .filter((atMs) => localTime(atMs, timeZone).startsWith(date))
    .toSorted((a, b) => a - b);
  return first === undefined ? null : new Date(first).toISOString();
}

/** How far the zone's clocks are ahead of UTC at that time. */
function offsetMs(atMs: number, timeZone: string): number {
  return Date.parse(`${localTime(atMs, timeZone).replace(' ', 'T')}Z`) - atMs;
}

/** `2026-01-31 13:05:09`, as the clocks of the zone show it. */
function localTime(atMs: number, timeZone: string): string {
  // Swedish writes dates and times as ISO 8601 does.
  const options = { timeZone, dateStyle: 'short', timeStyle: 'medium' } as const;
  return new Intl.DateTimeFormat('sv-SE', options).format(atMs);
}

/** The date of an instant (ISO 8601) for people, e.g. `January 31, 2026`, as the calendars of the zone show it. */
export function formatDate(
  instant: string,
  { language, timeZone }: { readonly language: Language; readonly timeZone: string },
): string {
  const key = `${language} ${timeZone}`;
  const format =
    dateFormats.get(key) ?? new Intl.DateTimeFormat(language, { dateStyle: 'long', timeZone });
  dateFormats.set(key, format);
  return format.format(new Date(instant));
}

/** One per language and time zone of IANA, fewer than 1,000: making one costs more than using it. */
const dateFormats = new Map<string, Intl.DateTimeFormat>();
