/**
 * `npm run bench:overload` beside a running stack: measures the peak rate of orders with clients that
 * wait for their responses, then the goodput when three times as many orders are offered. On one
 * machine every response also waits for a processor: `/livez`, which does nothing, is measured too,
 * and the time of rejected requests is compared with it.
 */
import { closedLoad, kinds, latency, openLoad, print, summary, type LoadResult } from './load.ts';
import { openBenchShop } from './shop.ts';

const WARM_UP_MS = 10_000;
const PEAK_MS = 20_000;
const OVERLOAD_MS = 30_000;
const CLIENTS = 32;
const TIMES_PEAK = 3;
const PROBES_PER_SECOND = 20;

const shop = await openBenchShop();
const load = { url: shop.api, next: shop.order };
await closedLoad({ ...load, clients: CLIENTS, forMs: WARM_UP_MS });
const peak = await closedLoad({ ...load, clients: CLIENTS, forMs: PEAK_MS });
const peakRate = placedPerSecond(peak, PEAK_MS);
print('peak', `${peakRate.toFixed(1)} orders/s, ${summary(peak)}; ${kinds(peak)}`);

const perSecond = peakRate * TIMES_PEAK;
const [orders, probes] = await Promise.all([
  openLoad({ ...load, perSecond, forMs: OVERLOAD_MS }),
  openLoad({
    url: shop.api,
    next: () => ({ method: 'GET', path: '/livez' }),
    perSecond: PROBES_PER_SECOND,
    forMs: OVERLOAD_MS,
  }),
]);
const rate = placedPerSecond(orders, OVERLOAD_MS);
const rejected = orders.filter(({ code }) => code === 'overloaded');
const ratio = (share: number): string =>
  (latency(rejected, share) / latency(probes, share)).toFixed(2);
print('offered', `${perSecond.toFixed(1)} orders/s for ${OVERLOAD_MS / 1_000} s`);
print('goodput', `${rate.toFixed(1)} orders/s, ${((100 * rate) / peakRate).toFixed(0)} % of peak`);
print('placed', summary(orders.filter(({ status }) => status === 201)));
print('shed', summary(rejected));
print('livez', summary(probes));
print('ratio', `shed to livez: p50 ${ratio(0.5)}, p99 ${ratio(0.99)}`);
print('results', kinds(orders));

/** Orders placed during the load: responses after its end do not count. */
function placedPerSecond(results: readonly LoadResult[], forMs: number): number {
  const placed = results.filter(({ status, atMs }) => status === 201 && atMs <= forMs);
  return (placed.length * 1_000) / forMs;
}
