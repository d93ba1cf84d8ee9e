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

export interface Day {
  /** ISO 8601; the end is the beginning of the next day. */
  readonly from: string;
  readonly to: string;
}

/** The days of the time zone that begin at `from` or later, and before `to` (ISO 8601). */
export function daysBetween({ from, to }: Day, timeZone: string): readonly Day[] {
  const starts: string[] = [];
  const endMs = Date.parse(to) + 4 * DAY_MS;
  for (let atMs = Date.parse(from) - DAY_MS; atMs < endMs; atMs += DAY_MS) {
    // A zone that changes sides of the date line skips a date.
    const start = startOfDay(iso(atMs).slice(0, 10), timeZone);
    if (start !== null) starts.push(start);
  }
  const days = starts.map((start, at) => ({ from: start, to: starts[at + 1] ?? start }));
  const [firstMs, untilMs] = [Date.parse(from), Date.parse(to)];
  return days.filter((day) => Date.parse(day.from) >= firstMs && Date.parse(day.from) < untilMs);
}

/** The day of the time zone that the instant (ISO 8601) is in. */
export function dayOf(instant: string, timeZone: string): Day {
  const atMs = Date.parse(instant);
  const around = { from: iso(atMs - 2 * DAY_MS), to: iso(atMs + 1) };
  const day = daysBetween(around, timeZone).at(-1);
  if (day === undefined) throw new Error(`no day of ${timeZone} has begun by ${instant}`);
  return day;
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** How far the zone's clocks are ahead of UTC at that time. */
function offsetMs(atMs: number, timeZone: string): number {
  return Date.parse(`${localTime(atMs, timeZone).replace(' ', 'T')}Z`) - atMs;
}

/** `2026-01-31 13:05:09`, as the clocks of the zone show it. */
function localTime(atMs: number, timeZone: string): string {
  // Swedish writes dates and times as ISO 8601 does.
  const options = { timeZone, dateStyle: 'short', timeStyle: 'medium' } as const;
  const format = clocks.get(timeZone) ?? new Intl.DateTimeFormat('sv-SE', options);
  clocks.set(timeZone, format);
  return format.format(atMs);
}

/** One per time zone of IANA: making one costs more than using it. */
const clocks = new Map<string, Intl.DateTimeFormat>();

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

/** One per language and time zone of IANA, fewer than 1,000. */
const dateFormats = new Map<string, Intl.DateTimeFormat>();
