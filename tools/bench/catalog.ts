/**
 * `npm run bench:catalog` beside a running stack: how long one product takes to read from the cache of the
 * process, and from the database, which is asked when a change has outdated the cache. In turns, over the
 * same products and the same way through the API.
 */
import { createSender, latency, print, type LoadResponse } from './load.ts';
import { openBenchShop } from './shop.ts';

const PRODUCTS = 500;
const CLIENTS = 8;
const ROUNDS = 10;
const ADMIN = { authorization: 'Bearer hf_local_admin', 'content-type': 'application/json' };
const STOREFRONT = { authorization: 'Bearer hf_local_storefront' };

const { api } = await openBenchShop();
const skus = Array.from({ length: PRODUCTS }, (_, at) => `bench-catalog-${at}`);
for (const sku of skus) await put(sku);
const send = createSender(api);
const reads: LoadResponse[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  // A change outdates every entry: the first pass asks the database, the second the cache.
  await put('bench-catalog-0');
  for (let pass = 0; pass < 2; pass += 1) await readAll();
}
send.close();

const failed = reads.filter(({ status }) => status !== 200).length;
const cached = reads.filter(({ cacheStatus }) => cacheStatus?.includes('; hit'));
const origin = reads.filter(({ cacheStatus }) => cacheStatus?.includes('fwd='));
const times = ['cached', 'database'].map((name, at) => {
  const results = at === 0 ? cached : origin;
  const [p50, p99] = [latency(results, 0.5), latency(results, 0.99)];
  print(name, `${results.length} reads, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
  return { p50, p99 };
});
const [fast, slow] = times;
const ratio = (of: 'p50' | 'p99') => ((slow?.[of] ?? 0) / (fast?.[of] ?? 1)).toFixed(1);
print('ratio', `p50 ${ratio('p50')}, p99 ${ratio('p99')}; ${CLIENTS} clients`);
if (failed > 0) print('failed', String(failed));
process.exitCode = failed === 0 && cached.length > 0 && origin.length > 0 ? 0 : 1;

async function readAll(): Promise<void> {
  const left = [...skus];
  const read = async (): Promise<void> => {
    for (let sku = left.pop(); sku !== undefined; sku = left.pop()) {
      const path = `/v1/products/${sku}`;
      reads.push(await send({ method: 'GET', path, headers: STOREFRONT }, 0));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, read));
}

async function put(sku: string): Promise<void> {
  const body = JSON.stringify({ name: sku, price_minor: 100, currency: 'EUR' });
  const response = await fetch(`${api}/v1/products/${sku}`, {
    method: 'PUT',
    headers: ADMIN,
    body,
  });
  if (!response.ok) throw new Error(`${sku}: ${response.status} ${await response.text()}`);
}
