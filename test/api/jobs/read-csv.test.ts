/** Reading an uploaded file, whatever it holds. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_ROWS, readCsv } from '../../../api/jobs/read-csv.ts';
import { currencyOfColumn, IMPORT_COLUMNS } from '../../../domain/import.ts';

const read = (file: string | Uint8Array) =>
  readCsv(typeof file === 'string' ? Buffer.from(file) : file, {
    required: IMPORT_COLUMNS.stock,
    isOptional: (name) => currencyOfColumn(name) !== null,
  });

/** The reasons of a file that is refused as a whole. */
async function reasonsOf(file: string | Uint8Array): Promise<string> {
  const outcome = await read(file);
  return outcome.kind === 'unreadable' ? outcome.reasons.join(' ') : '';
}

test('a file with a byte order mark, CRLF, quotes, blanks and empty lines has its rows by number and column', async () => {
  const file = '\ufeffon_hand , sku\r\n 3,"mug-white"\r\n\r\n , \r\n"12", "mug\r\nblue"\r\n';
  expect(await read(file)).toEqual({
    kind: 'read',
    rows: [
      { row: 2, values: { on_hand: '3', sku: 'mug-white' }, error: null },
      { row: 5, values: { on_hand: '12', sku: 'mug\r\nblue' }, error: null },
    ],
  });
});

test('a file keeps every character across the borders of its pieces', async () => {
  const names = Array.from({ length: 9_000 }, (_, at) => `${at}-☕🫖`);
  const outcome = await read(`sku,on_hand\n${names.map((name) => `${name},1`).join('\n')}`);
  expect(outcome.kind === 'read' && outcome.rows.map(({ values }) => values['sku'])).toEqual(names);
});

test('a file says of a row that its cells are too few or its SKU is not the first', async () => {
  const outcome = await read('sku,on_hand\na,1\nb\na,2\n');
  expect(outcome.kind === 'read' && outcome.rows.map(({ error }) => error)).toEqual([
    null,
    { column: null, message: 'The row has 1 columns, the header has 2.' },
    { column: 'sku', message: 'Row 2 has the same SKU.' },
  ]);
});

test.each([
  ['without a byte', '', 'It has no column sku.'],
  ['with other columns', 'sku;on_hand\na;1', '"sku;on_hand", which is not known'],
  ['with a column too many', 'sku,on_hand,price\na,1,2', '"price", which is not known'],
  ['with a column twice', 'sku,on_hand,sku\na,1,b', 'the column sku more than once'],
  ['with prices twice', 'price_minor_USD,sku,on_hand,price_minor_USD\n1,a,1,1', '_USD more than'],
  ['with a price in no currency', 'sku,on_hand,price_minor_EUX\na,1,1', '"price_minor_EUX", which'],
  ['without a row', 'sku,on_hand\n\n , \n', 'It has no row under its header.'],
  ['with an open quote', 'sku,on_hand\na,1\n"b,1\n', 'After row 2: a quote is never closed.'],
  ['with a quote in a value', 'sku,on_hand\na"b,1\n', 'After row 1: a quote is inside a value'],
  ['with text behind a quote', 'sku,on_hand\n"a"b,1\n', 'After row 1: text follows the end'],
  ['in another encoding', Buffer.from('sku,on_hand\nk\u00e4se,1', 'latin1'), 'not text in UTF-8'],
  ['of UTF-16', Buffer.from('\ufeffsku,on_hand\na,1', 'utf16le'), 'not text in UTF-8'],
  ['of one line', 'x'.repeat(4_000_000), 'a row has more than 16384 bytes'],
  ['of a million commas', ','.repeat(1_000_000), 'Row 1 has more than 100 columns.'],
  [
    'of a million quoted lines',
    `sku,on_hand\n"${'x\n'.repeat(1_000_000)}`,
    'more than 16384 bytes',
  ],
  ['of a million rows', `sku,on_hand\n${'a,1\n'.repeat(1_000_000)}`, `more than ${MAX_ROWS} rows`],
  ['of four million empty lines', '\n'.repeat(4_000_000), 'It has no column sku.'],
])('a file %s is refused in words', async (_, file, reason) => {
  expect(await reasonsOf(file)).toContain(reason);
});

test('a file of any bytes is read or refused', async () => {
  const piece = fc.oneof(
    fc.constantFrom('sku', 'on_hand', ',', '"', '\n', '\r\n', '\0', ' ', '\ufeff', '"a,b"', '1'),
    fc.string({ unit: 'binary' }),
  );
  const files = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(piece).map((parts) => Buffer.from(`sku,on_hand\n${parts.join('')}`)),
  );
  await fc.assert(
    fc.asyncProperty(files, async (file) => {
      const outcome = await read(file);
      if (outcome.kind === 'unreadable') expect(outcome.reasons.length).toBeGreaterThan(0);
      else expect(outcome.rows.length).toBeGreaterThan(0);
    }),
    { numRuns: 50 },
  );
});
