/** Files of products and stock, from the upload to the rows. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_FILE_BYTES } from '../../../api/middleware/request-body.ts';
import type { ImportType } from '../../../domain/import.ts';
import { runJobOf } from '../../support/job-runs.ts';
import { acceptedJob, errorLines, upload, viewJob } from '../../support/jobs.ts';
import { problemOf } from '../../support/responses.ts';
import { useShop } from '../../support/shop.ts';

const shop = useShop();
const PRODUCTS = 'sku,name,description,price_minor,currency\n';

/** Uploads the file and runs it to its end. */
async function imported(type: ImportType, text: string, dryRun = false) {
  const { id } = await acceptedJob(await upload(shop, { type, text, dryRun }));
  await runJobOf(shop.services, id);
  return viewJob(shop, id);
}

const versionsOf = async (...skus: readonly string[]) => {
  const rows = await shop.db.product.findMany({
    where: { sku: { in: [...skus] } },
    orderBy: { sku: 'asc' },
  });
  return rows.map(({ sku, version, priceMinor }) => `${sku} v${version} ${priceMinor}`);
};

test('an import creates and replaces products, and a file imported again changes nothing', async () => {
  await shop.stock('imp-old', 0);
  const text = `${PRODUCTS}imp-new,New,"Two\nlines",1500,EUR\r\n\r\nimp-old,Old,,1200,EUR\r\n`;
  const job = await imported('products', text);
  expect(job).toMatchObject({ status: 'succeeded', progress: { total: 2, done: 2, failed: 0 } });
  expect(await versionsOf('imp-new', 'imp-old')).toEqual(['imp-new v1 1500', 'imp-old v2 1200']);
  const audited = () => shop.db.auditEntry.findMany({ where: { cause: job.id } });
  expect(await audited()).toMatchObject([
    { actor: 'operator/key_local_admin', action: 'product.created', subject: 'imp-new' },
    { actor: 'operator/key_local_admin', action: 'product.updated', subject: 'imp-old' },
  ]);
  const stock = await shop.db.stock.findUnique({ where: { sku: 'imp-new' } });
  expect(stock).toMatchObject({ onHand: 0, held: 0 });

  const again = await imported('products', text);
  expect(again.progress).toMatchObject({ done: 2, failed: 0 });
  expect(await versionsOf('imp-new', 'imp-old')).toEqual(['imp-new v1 1500', 'imp-old v2 1200']);
  expect(await shop.db.auditEntry.count({ where: { cause: again.id, subject: 'imp-new' } })).toBe(
    0,
  );
});

test('a bad row is one line of the error file with its row, column and reason, and the others are applied', async () => {
  const text =
    `${PRODUCTS}bad-1,,,1000,EUR\nbad-2,Mug,,12.50,EUR\nbad-3,Mug,,1000,KRX\nbad 4,,,0,EUR\n` +
    'bad-5,Mug\nfine-1,Mug,,1000,EUR\nfine-1,Mug,,2000,EUR\nbad-8,Mug,,2147483647,EUR\n';
  const job = await imported('products', text);
  expect(job.progress).toEqual({ total: 8, done: 8, failed: 7 });
  const lines = await errorLines(shop, job);
  expect(lines.map((line) => line.split(',').slice(0, 2).join(' '))).toEqual([
    '2 name',
    '3 price_minor',
    '4 currency',
    '5 sku name price_minor',
    '6 ',
    '8 sku',
    '9 price_minor',
  ]);
  expect(lines[1]).toContain('such as 1300",bad-2,Mug,,12.50,EUR');
  expect(lines[5]).toContain('Row 7 has the same SKU.');
  expect(lines[6]).toContain('A card can be charged at most');
  expect(await versionsOf('bad-1', 'bad-2', 'bad-8', 'fine-1')).toEqual(['fine-1 v1 1000']);
});

test('a file with columns of prices in other currencies sets those of its rows, and an empty cell removes one', async () => {
  const pricesOf = async (sku: string) => {
    const [own, others] = await Promise.all([
      shop.db.product.findUniqueOrThrow({ where: { sku } }),
      shop.db.productPrice.findMany({ where: { sku }, orderBy: { currency: 'asc' } }),
    ]);
    return [own, ...others].map(({ currency, priceMinor }) => `${priceMinor} ${currency}`).join();
  };
  const head = `${PRODUCTS.trim()},price_minor_USD,price_minor_JPY\n`;
  const text = `${head}cur-a,A,,1200,EUR,1350,1950\ncur-b,B,,900,EUR,,\n`;
  expect((await imported('products', text)).progress).toMatchObject({ done: 2, failed: 0 });
  expect(await pricesOf('cur-a')).toBe('1200 EUR,1950 JPY,1350 USD');
  expect(await pricesOf('cur-b')).toBe('900 EUR');
  await imported('products', text);
  // A file without such columns leaves them, and one that differs in a price alone is a change.
  await imported('products', `${PRODUCTS}cur-a,A,,1200,EUR\n`);
  expect(await versionsOf('cur-a', 'cur-b')).toEqual(['cur-a v1 1200', 'cur-b v1 900']);
  const changed = await imported('products', `${head}cur-a,A,,1200,EUR,,2000\n`);
  expect(await pricesOf('cur-a')).toBe('1200 EUR,2000 JPY');
  expect(await shop.db.auditEntry.findMany({ where: { cause: changed.id } })).toMatchObject([
    { action: 'product.updated', data: { version: 2, prices: [{ price_minor: null }, {}] } },
  ]);
  await imported('products', `${PRODUCTS}cur-a,A,,1990,JPY\n`);
  expect(await pricesOf('cur-a')).toBe('1990 JPY');

  const wrong = await imported(
    'products',
    `${PRODUCTS.trim()},price_minor_KWD,price_minor_CUP\n` +
      'cur-c,C,,1,KWD,1000,\ncur-d,D,,1000,EUR,4005,\ncur-e,E,,1000,EUR,0,\n' +
      'cur-f,F,,1000,EUR,4.000,x\ncur-g,G,,1000,EUR,,500\n',
  );
  expect(
    (await errorLines(shop, wrong)).map((line) => line.split(',').slice(0, 2).join(' ')),
  ).toEqual([
    '2 price_minor',
    '3 price_minor_KWD',
    '4 price_minor_KWD',
    '5 price_minor_KWD price_minor_CUP',
    '6 price_minor_CUP',
  ]);
  expect(await shop.db.product.count({ where: { sku: { gte: 'cur-c', lt: 'cur-h' } } })).toBe(0);
});

test('a count of stock is a movement of the difference, and never below the units held for orders', async () => {
  await shop.stock('cnt-a', 5);
  await shop.stock('cnt-b', 5);
  await shop.order({ sku: 'cnt-b', quantity: 4 });
  const text = 'on_hand,sku\n12,cnt-a\n3,cnt-b\n1,cnt-none\n';
  const job = await imported('stock', text);
  expect(await errorLines(shop, job)).toEqual([
    '3,on_hand,4 units are held for orders.,3,cnt-b',
    '4,sku,No product has this SKU.,1,cnt-none',
  ]);
  const movements = () =>
    shop.db.stockMovement.findMany({ where: { reason: { startsWith: 'import' } } });
  const [moved] = await movements();
  expect(moved).toMatchObject({ sku: 'cnt-a', delta: 7, reason: `import ${job.id}` });
  await imported('stock', text);
  expect(await movements()).toHaveLength(1);
  const where = { sku: { startsWith: 'cnt-' } };
  const stock = await shop.db.stock.findMany({ where, orderBy: { sku: 'asc' } });
  expect(stock.map(({ onHand, held }) => [onHand, held])).toEqual([
    [12, 0],
    [5, 4],
  ]);
});

test('a dry run checks every row and changes nothing', async () => {
  await shop.stock('dry-a', 5);
  const products = await imported('products', `${PRODUCTS}dry-a,,,1,EUR\ndry-b,B,,1,EUR\n`, true);
  expect(products.progress).toMatchObject({ done: 2, failed: 1 });
  const stock = await imported('stock', 'sku,on_hand\ndry-a,9\ndry-c,1\n', true);
  expect(stock.progress).toMatchObject({ done: 2, failed: 1 });
  expect(await versionsOf('dry-a', 'dry-b')).toEqual(['dry-a v1 1000']);
  expect(await shop.db.stock.findUnique({ where: { sku: 'dry-a' } })).toMatchObject({ onHand: 5 });
});

test('an upload that is refused begins nothing and says in words what to do', async () => {
  const jobs = await shop.db.job.count();
  const stock = { type: 'stock', text: 'sku,on_hand\na,1\n' } as const;
  const refused = async (
    ...args: Parameters<typeof upload> extends [unknown, ...infer R] ? R : never
  ) => problemOf(await upload(shop, ...args));
  const at = (type: string) => ({ headers: { 'content-type': type } });
  expect((await refused(stock, { role: 'operator' })).code).toBe('forbidden');
  for (const type of ['application/json', 'text/plain', 'text/csv; charset=iso-8859-1']) {
    const { status, detail } = await refused(stock, at(type));
    expect([status, detail]).toEqual([415, 'Send the file as text/csv, in UTF-8.']);
  }
  const large = `sku,on_hand\n${'x'.repeat(MAX_FILE_BYTES)}`;
  expect((await refused({ ...stock, text: large })).code).toBe('payload_too_large');
  const { code, errors } = await refused({ ...stock, text: 'sku,price\na,1\n' });
  expect(code).toBe('invalid_request');
  expect(errors?.map(({ detail }) => detail)).toEqual([
    'Its first row must name the columns sku, on_hand, separated by commas.',
    'It has no column on_hand.',
    'It has a column "price", which is not known.',
  ]);
  expect((await refused({ ...stock, text: '' })).errors?.[1]?.detail).toBe('It has no column sku.');
  const latin = Buffer.from('sku,on_hand\nk\u00e4se,1\n', 'latin1');
  expect((await refused({ ...stock, text: latin })).errors?.[0]?.detail).toContain('UTF-8');
  expect(await shop.db.job.count()).toBe(jobs);
});

test('an upload repeated with its key is one import, and with another file is refused', async () => {
  const file = { type: 'stock', text: 'sku,on_hand\nrep-a,1\n' } as const;
  const first = await acceptedJob(await upload(shop, file, { key: 'rep' }));
  const again = await upload(shop, file, { key: 'rep' });
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect((await acceptedJob(again)).id).toBe(first.id);
  const other = await upload(shop, { ...file, text: `${file.text}b,1\n` }, { key: 'rep' });
  expect((await problemOf(other)).code).toBe('idempotency_key_reused');
});

test('whatever a file holds, it is refused in words, or its rows are applied or named in the error file', async () => {
  const cell = fc.oneof(
    fc.constantFrom(
      'mug-white',
      '5',
      '-1',
      '99999999999',
      '"a ""b"""',
      '"',
      '\0',
      "='x'",
      '💥',
      '',
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const files = fc
    .array(fc.array(cell, { minLength: 1, maxLength: 3 }).map((cells) => cells.join(',')))
    .map((rows) => `sku,on_hand\n${rows.join('\n')}`);
  await fc.assert(
    fc.asyncProperty(files, async (text) => {
      const response = await upload(shop, { type: 'stock', text });
      if (response.status === 422) {
        expect((await problemOf(response)).errors).not.toEqual([]);
        return;
      }
      const { id, progress } = await acceptedJob(response);
      await runJobOf(shop.services, id);
      const job = await viewJob(shop, id);
      expect(job).toMatchObject({ status: 'succeeded', progress: { done: progress.total } });
    }),
    { numRuns: 5 },
  );
});
