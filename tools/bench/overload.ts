/**
 * `npm run bench:overload` beside a running stack: how many orders a second it takes from shoppers
 * who wait for their answers, then what is left of that when three times as many come per second.
 * Where everything runs on one machine, a part of any answer's time is the wait for a processor: so
 * `/livez`, which does nothing, is asked beside it, and those turned away are held against that.
 */
import { closedLoad, kinds, openLoad, percentile, type Answer, type Ask } from './load.ts';
import { openBenchShop } from './shop.ts';

const WARM_UP_MS = 10_000;
const PEAK_MS = 20_000;
const OVERLOAD_MS = 30_000;
const SHOPPERS = 32;
const TIMES = 3;
const LOOKS_PER_SECOND = 20;

await main();

async function main(): Promise<void> {
  const shop = await openBenchShop();
  const load = { url: shop.api, ask: shop.order };
  await closedLoad({ ...load, shoppers: SHOPPERS, forMs: WARM_UP_MS });
  const peak = await closedLoad({ ...load, shoppers: SHOPPERS, forMs: PEAK_MS });
  const peakRate = placedPerSecond(peak, PEAK_MS);
  print('peak', `${peakRate.toFixed(1)} orders/s, ${times(peak)}; ${kinds(peak)}`);

  const perSecond = peakRate * TIMES;
  const [crowd, looks] = await Promise.all([
    openLoad({ ...load, perSecond, forMs: OVERLOAD_MS }),
    openLoad({ ...load, ask: look, perSecond: LOOKS_PER_SECOND, forMs: OVERLOAD_MS }),
  ]);
  const rate = placedPerSecond(crowd, OVERLOAD_MS);
  print('offered', `${perSecond.toFixed(1)} orders/s for ${OVERLOAD_MS / 1_000} s`);
  print(
    'goodput',
    `${rate.toFixed(1)} orders/s, ${((100 * rate) / peakRate).toFixed(0)} % of peak`,
  );
  print('placed', times(crowd.filter(({ status }) => status === 201)));
  const shed = crowd.filter(({ code }) => code === 'overloaded');
  print('shed', times(shed));
  print('livez', times(looks));
  const ratio = (share: number): string =>
    (percentile(shed, share) / percentile(looks, share)).toFixed(2);
  print('ratio', `shed to livez: p50 ${ratio(0.5)}, p99 ${ratio(0.99)}`);
  print('answers', kinds(crowd));
}

function look(): Ask {
  return { method: 'GET', path: '/livez' };
}

/** Orders placed within the time of the load: what is answered after its end does not count. */
function placedPerSecond(answers: readonly Answer[], forMs: number): number {
  const placed = answers.filter(({ status, atMs }) => status === 201 && atMs <= forMs);
  return (placed.length * 1_000) / forMs;
}

function times(answers: readonly Answer[]): string {
  const at = (share: number): string => percentile(answers, share).toFixed(0);
  return `${answers.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

function print(label: string, text: string): void {
  process.stdout.write(`${label.padEnd(8)} ${text}\n`);
}
