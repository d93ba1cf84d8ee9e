/**
 * Reads an uploaded CSV file (RFC 4180). What would make its rows uncertain refuses the whole file: another
 * encoding, other columns, a quote that is never closed. What is wrong with one row is said with that row.
 */
import { isUtf8 } from 'node:buffer';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { CsvError, parse } from 'csv-parse';
import type { ImportRow, RowError } from '../../domain/import.ts';
import { headOf } from '../../domain/text.ts';

export type ReadOutcome =
  | { readonly kind: 'read'; readonly rows: readonly ImportRow[] }
  /** Why nothing of it was read, in words. */
  | { readonly kind: 'unreadable'; readonly reasons: readonly string[] };

/** Rows under the header. */
export const MAX_ROWS = 50_000;
/** Above any product: a name of 200 characters and a description of 2,000, each of up to four bytes. */
const MAX_ROW_BYTES = 16_384;
/** More cells are a mistake, and each costs time. */
const MAX_CELLS = 100;
/** Between two pieces other requests are served. */
const PIECE_BYTES = 16_384;
const MAX_NAMED = 10;

interface Columns {
  /** Every file has them. */
  readonly required: readonly string[];
  /** True of another column that a file may have. */
  readonly isOptional: (name: string) => boolean;
}

/** Reads the rows under a header of these columns and no other, in any order. */
export async function readCsv(file: Uint8Array, columns: Columns): Promise<ReadOutcome> {
  if (!isUtf8(file)) return { kind: 'unreadable', reasons: [NOT_UTF_8] };
  const reader = createReader(columns);
  try {
    await pipeline(pieces(file), reader.parser);
    reader.requireRows();
    return { kind: 'read', rows: reader.rows };
  } catch (error) {
    return { kind: 'unreadable', reasons: reasonsOf(error, reader.rowsSeen()) };
  }
}

/** Ends the reading of a file. */
class UnreadableError extends Error {
  readonly reasons: readonly string[];

  constructor(...reasons: readonly string[]) {
    super('unreadable file');
    this.reasons = reasons;
  }
}

function createReader(columns: Columns) {
  const rows: ImportRow[] = [];
  const firstOf = new Map<string, number>();
  let header: readonly string[] | null = null;
  let seen = 0;

  const addRow = (row: number, cells: readonly string[], names: readonly string[]): void => {
    if (cells.every((cell) => cell === '')) return;
    if (rows.length >= MAX_ROWS) throw new UnreadableError(`It has more than ${MAX_ROWS} rows.`);
    const values = Object.fromEntries(names.map((name, at) => [name, cells[at] ?? '']));
    const { sku = '' } = values;
    const first = firstOf.get(sku);
    if (first === undefined) firstOf.set(sku, row);
    rows.push({ row, values, error: wrongCells(cells, names) ?? sameSku(first) });
  };
  const parser = parse({
    bom: true,
    trim: true,
    relax_column_count: true,
    skip_empty_lines: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    max_record_size: MAX_ROW_BYTES,
    // Kept here instead of in the stream: nothing comes out of it.
    on_record(cells: readonly string[], { records, empty_lines: emptyLines }) {
      seen = records + emptyLines;
      if (cells.length > MAX_CELLS) {
        throw new UnreadableError(`Row ${seen} has more than ${MAX_CELLS} columns.`);
      }
      if (header === null) header = requireColumns(cells, columns);
      else addRow(seen, cells, header);
      return null;
    },
  }).resume();
  return {
    parser,
    rows,
    rowsSeen: () => seen,
    requireRows(): void {
      if (header === null) requireColumns([], columns);
      if (rows.length === 0) throw new UnreadableError('It has no row under its header.');
    },
  };
}

async function* pieces(file: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < file.length; start += PIECE_BYTES) {
    yield file.subarray(start, start + PIECE_BYTES);
    await setImmediate();
  }
}

/** The header, when it has each of the columns once and no other. */
function requireColumns(
  header: readonly string[],
  { required, isOptional }: Columns,
): readonly string[] {
  const wanted = `Its first row must name the columns ${required.join(', ')}, separated by commas.`;
  const unknown = header.filter((name) => !required.includes(name) && !isOptional(name));
  const reasons = [
    ...required.filter((name) => !header.includes(name)).map((name) => `It has no column ${name}.`),
    ...unknown
      .slice(0, MAX_NAMED)
      .map((name) => `It has a column ${JSON.stringify(headOf(name, 50))}, which is not known.`),
    ...[...new Set(header)]
      .filter((name) => header.indexOf(name) !== header.lastIndexOf(name))
      .filter((name) => !unknown.includes(name))
      .map((name) => `It has the column ${name} more than once.`),
  ];
  if (reasons.length > 0) throw new UnreadableError(wanted, ...reasons);
  return header;
}

function wrongCells(cells: readonly string[], names: readonly string[]): RowError | null {
  if (cells.length === names.length) return null;
  const message = `The row has ${cells.length} columns, the header has ${names.length}.`;
  return { column: null, message };
}

function sameSku(first: number | undefined): RowError | null {
  return first === undefined ? null : { column: 'sku', message: `Row ${first} has the same SKU.` };
}

const NOT_UTF_8 = 'It is not text in UTF-8. Export it as "CSV UTF-8".';

const TEXT_AFTER_QUOTE =
  'text follows the end of a quoted value; double each quote inside a quoted value';

/** What the parser refuses, in words. */
const REFUSALS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is never closed',
  INVALID_OPENING_QUOTE:
    'a quote is inside a value without quotes; quote the value and double the quote',
  CSV_INVALID_CLOSING_QUOTE: TEXT_AFTER_QUOTE,
  CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE: TEXT_AFTER_QUOTE,
  CSV_MAX_RECORD_SIZE: `a row has more than ${MAX_ROW_BYTES} bytes; a quote may be missing`,
};

function reasonsOf(error: unknown, rowsSeen: number): readonly string[] {
  if (error instanceof UnreadableError) return error.reasons;
  if (!(error instanceof CsvError)) throw error;
  return [`After row ${rowsSeen}: ${REFUSALS[error.code] ?? 'it is not CSV (RFC 4180)'}.`];
}
