/**
 * `npm run bench` beside a running stack: orders through the whole checkout, at 5 and 10 a second and
 * by 32 customers, who each order again when their last order is at rest; the last also with orders whose
 * steps are all ordinary activities (`Prefer: inspectable`). Prints what each order
 * costs and how long the shopper waits, and writes bench.json into the stack's folder. Linux only.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from '../../local/stack/addresses.ts';
import { createHome } from '../../local/stack/home.ts';
import { runningPart } from '../../local/stack/leftovers.ts';
import { CHECKOUT_WORKFLOW } from '../../workflows/checkout/contract.ts';
import { openCostMeter } from './cost.ts';
import { closedLoad, openLoad, print } from './load.ts';
import { describeRow, measure } from './measure.ts';
import { openBenchShop } from './shop.ts';
import { devServerMetrics, openTemporalMeter } from './temporal-meter.ts';

const WARM_UP_MS = 8_000;
const LOAD_MS = 20_000;

const home = createHome(readStackConfig().HOLDFAST_HOME);
const addresses = await loadAddresses(home);
const shop = await openBenchShop();
const cost = await openCostMeter(addresses.databaseUrl, (part) => runningPart(home, part));
const temporal = await openTemporalMeter(
  await devServerMetrics(home),
  addresses,
  CHECKOUT_WORKFLOW,
);
const meters = { cost, temporal };
const load = { url: shop.api, next: shop.order, forMs: LOAD_MS };

await measure(meters, (settled) =>
  closedLoad({ ...load, settled, forMs: WARM_UP_MS, clients: 32 }),
);
const inspectable = { ...load, next: () => shop.order({ inspectable: true }), clients: 32 };
const rows = {
  '5 orders/s': await measure(meters, (settled) => openLoad({ ...load, settled, perSecond: 5 })),
  '10 orders/s': await measure(meters, (settled) => openLoad({ ...load, settled, perSecond: 10 })),
  '32 customers': await measure(meters, (settled) => closedLoad({ ...load, settled, clients: 32 })),
  '32 customers, inspectable': await measure(meters, (settled) =>
    closedLoad({ ...inspectable, settled }),
  ),
};
for (const [name, row] of Object.entries(rows)) print(name, describeRow(row));
await writeFile(join(home.path, 'bench.json'), JSON.stringify(rows, null, 2));
await Promise.all([cost.close(), temporal.close()]);
