/** Formats the demo's lines. Colors only where a terminal has them (NO_COLOR is respected). */
import process from 'node:process';
import { styleText } from 'node:util';
import type { TimelineEntry } from './shop.ts';

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

export function paint(style: Style, text: string): string {
  const hasColors = process.stdout.isTTY && process.stdout.hasColors();
  return hasColors ? styleText(style, text) : text;
}

/** One line below a scenario's heading. */
export function row(atMs: number | null, what: string, more = ''): string {
  const time = atMs === null ? '' : `${Math.round(atMs)} ms`;
  return `  ${paint('dim', time.padStart(9))}  ${what}${more === '' ? '' : paint('dim', `  ${more}`)}`;
}

/** One event of an order, with the time since its first event. */
export function eventRow(entry: TimelineEntry, firstAt: string): string {
  const details = Object.entries(entry.data).map(([name, value]) => `${name}=${plain(value)}`);
  const type = entry.type.replace(/^order\./, '');
  return row(Date.parse(entry.time) - Date.parse(firstAt), type, details.join(' '));
}

/** `authorize 1, capture 1`; `none` when there is nothing. */
export function counts(record: Readonly<Record<string, number>>): string {
  const parts = Object.entries(record).map(([name, count]) => `${name} ${count}`);
  return parts.join(', ') || 'none';
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
