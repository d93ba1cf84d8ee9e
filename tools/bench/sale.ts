/**
 * `npm run bench:sale [-- --within=<seconds> --declined=<buyers>]` beside a running stack: 1,000 buyers
 * want one of 100 units, at the same moment or evenly within some seconds, each as docs/api.md says: a
 * response with Retry-After is repeated after that time under the same Idempotency-Key, any other is
 * final. `--declined` gives so many buyers a card that is declined, so that units become free again
 * during the sale. Then what one hot row carries
 * (hot-row.ts). Writes bench-sale.json into the stack's folder. Exits with 1 unless
 * - as many orders as units are placed and at the end no unit is available: nothing is oversold, and
 *   no buyer was answered "sold out" while a unit was left;
 * - every other buyer with a good card has the final response 409 `out_of_stock`.
 */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from '../../local/stack/addresses.ts';
import { createHome } from '../../local/stack/home.ts';
import { stockProduct } from '../shop-requests.ts';
import { wholeNumber } from '../usage.ts';
import { measureHotRow } from './hot-row.ts';
import { createSender, kinds, latency, print, summary, type LoadResult } from './load.ts';
import { withOwnDatabase } from './own-database.ts';
import { benchShop } from './shop.ts';

const BUYERS = 1_000;
const UNITS = 100;
/** After a lost connection. */
const RETRY_MS = 1_000;
const SKU = `sale-${randomUUID()}`;

const options = {
  declined: { type: 'string', default: '0' },
  within: { type: 'string', default: '0' },
} as const;
const args = parseArgs({ options }).values;
const declined = wholeNumber('--declined', args.declined, { most: BUYERS - UNITS });
const withinMs = wholeNumber('--within', args.within) * 1_000;
const home = createHome(readStackConfig().HOLDFAST_HOME);
const addresses = await loadAddresses(home);
const shop = benchShop(addresses);
await stockProduct(shop.api, { sku: SKU, name: 'Sale', priceMinor: 100 }, UNITS);

const answers: LoadResult[] = [];
const send = createSender(shop.api);
const startedMs = performance.now();
const finals = await Promise.all(Array.from({ length: BUYERS }, (_, buyer) => buy(buyer)));
const tookMs = performance.now() - startedMs;
send.close();

const placed = finals.filter(({ status }) => status === 201);
const soldOut = finals.filter(({ code }) => code === 'out_of_stock');
const refusals = answers.filter(({ code }) => code === 'out_of_stock');
const shed = answers.filter(({ code }) => code === 'overloaded');
const stock = await readStock();
const sale = {
  placed: placed.length,
  soldOut: soldOut.length,
  oversold: Math.max(0, stock.sold - UNITS),
  falseSoldOut: Math.min(stock.available, soldOut.length),
  ordersPerSecond: (placed.length * 1_000) / Math.max(...placed.map(({ atMs }) => atMs)),
  soldOutMs: { p50: latency(refusals, 0.5), p99: latency(refusals, 0.99) },
  tookMs,
};
print('buyers', `${BUYERS} for ${UNITS} units; final: ${kinds(finals)}`);
print('answers', kinds(answers));
print(
  'oversold',
  `${sale.oversold}; answered "sold out" while units were left: ${sale.falseSoldOut}`,
);
print('placed', `${sale.ordersPerSecond.toFixed(1)} orders/s; ${summary(placed)}`);
print('sold out', summary(refusals));
print('shed', summary(shed));
print('all', `answered for good after ${(tookMs / 1_000).toFixed(1)} s`);
const hotRow = await withOwnDatabase(addresses.databaseUrl, measureHotRow);
print(
  'hot row',
  `${hotRow.orders.toFixed(0)} orders/s of one product, ` +
    `${hotRow.ordersOfManyRows.toFixed(0)} of ${hotRow.clients}; bare UPDATE of one row ` +
    `${hotRow.bareUpdates.toFixed(0)}/s: ${((100 * hotRow.orders) / hotRow.bareUpdates).toFixed(0)} %`,
);
await writeFile(join(home.path, 'bench-sale.json'), JSON.stringify({ sale, hotRow }, null, 2));
const isExact =
  sale.placed === UNITS &&
  sale.soldOut === BUYERS - UNITS - declined &&
  sale.oversold + sale.falseSoldOut === 0;
process.exitCode = isExact ? 0 : 1;

/** The buyer's final answer. */
async function buy(buyer: number): Promise<LoadResult> {
  const request = shop.order({
    sku: SKU,
    ...(buyer < declined && { paymentMethod: 'pm_card_chargeDeclined' }),
  });
  await delay((withinMs * buyer) / BUYERS);
  for (;;) {
    const answer = await send(request, startedMs);
    answers.push(answer);
    const { status, retryAfterMs } = answer;
    if (status !== 0 && retryAfterMs === null) return answer;
    await delay(retryAfterMs ?? RETRY_MS);
  }
}

/** From the records: units in orders that hold or have them, and units that no order holds. */
async function readStock(): Promise<{ readonly sold: number; readonly available: number }> {
  const client = new pg.Client({ connectionString: addresses.databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ sold: number; available: number }>(
    `SELECT on_hand - held AS available, (SELECT coalesce(sum(quantity), 0)::int FROM reservations
       WHERE sku = $1 AND status <> 'released') AS sold FROM stock WHERE sku = $1`,
    [SKU],
  );
  await client.end();
  const [row] = rows;
  if (!row) throw new Error(`there is no stock of ${SKU}`);
  return row;
}
