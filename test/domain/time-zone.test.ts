import { expect, test } from 'vitest';
import { dayOf, daysBetween, formatDate, startOfDay } from '../../domain/time-zone.ts';

test.each([
  ['2026-11-30', 'UTC', '2026-11-30T00:00:00.000Z'],
  ['2026-11-30', 'Europe/Berlin', '2026-11-29T23:00:00.000Z'],
  // The day on which the clocks go forward, and the one after it.
  ['2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00.000Z'],
  ['2026-03-30', 'Europe/Berlin', '2026-03-29T22:00:00.000Z'],
  ['2026-01-01', 'Asia/Kathmandu', '2025-12-31T18:15:00.000Z'],
  ['2026-01-01', 'Pacific/Kiritimati', '2025-12-31T10:00:00.000Z'],
])('the day %s begins in %s at %s', (date, zone, instant) => {
  expect(startOfDay(date, zone)).toBe(instant);
});

test('a day without a midnight begins when the clocks show it first', () => {
  // At midnight the clocks went to one o'clock.
  expect(startOfDay('2018-11-04', 'America/Sao_Paulo')).toBe('2018-11-04T03:00:00.000Z');
  // At midnight they went back to the day before.
  expect(startOfDay('2018-02-18', 'America/Sao_Paulo')).toBe('2018-02-18T03:00:00.000Z');
});

test.each([
  // The clocks skip midnight: the day begins at one o'clock and has 23 hours.
  ['America/Santiago', '2026-09-06', ['2026-09-06T04:00:00.000Z', '2026-09-07T03:00:00.000Z']],
  // They show midnight twice: the day begins with the first of the two, and has 25 hours.
  ['Atlantic/Azores', '2026-10-25', ['2026-10-25T00:00:00.000Z', '2026-10-26T01:00:00.000Z']],
  ['Europe/Berlin', '2026-10-25', ['2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z']],
  ['Asia/Kolkata', '2026-06-01', ['2026-05-31T18:30:00.000Z', '2026-06-01T18:30:00.000Z']],
])('in %s each instant of the day %s has the same bounds: %j', (zone, date, bounds) => {
  const [from = '', to = ''] = bounds;
  const near = (at: string, ms: number) => new Date(Date.parse(at) + ms).toISOString();
  expect(startOfDay(date, zone)).toBe(from);
  for (const at of [from, near(from, 3_600_000), near(to, -1)]) {
    expect(dayOf(at, zone)).toEqual({ from, to });
  }
  expect(daysBetween({ from, to }, zone)).toEqual([{ from, to }]);
  expect(daysBetween({ from: near(from, 1), to }, zone)).toEqual([]);
});

test('days of a span follow each other without a gap, also over a date that the zone skipped', () => {
  const year = { from: '2011-12-01T10:00:00.000Z', to: '2012-02-01T10:00:00.000Z' };
  const days = daysBetween(year, 'Pacific/Apia');
  expect(days.slice(1).map(({ from }) => from)).toEqual(days.slice(0, -1).map(({ to }) => to));
  expect([days[0]?.from, days.length]).toEqual(['2011-12-01T10:00:00.000Z', 62]);
});

test.each(['', '2026-02-30', '2026-1-1', 'today', '2026-01-01T00:00:00Z'])(
  'what is no date begins never: "%s"',
  (text) => {
    expect(startOfDay(text, 'Europe/Berlin')).toBeNull();
  },
);

test.each([
  ['en', 'UTC', 'January 31, 2026'],
  ['en', 'Europe/Berlin', 'February 1, 2026'],
  ['de', 'Europe/Berlin', '1. Februar 2026'],
  ['de', 'UTC', '31. Januar 2026'],
] as const)('a message in %s shows the date of its shop in %s', (language, timeZone, date) => {
  expect(formatDate('2026-01-31T23:30:00Z', { language, timeZone })).toBe(date);
});
