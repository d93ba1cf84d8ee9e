/**
 * `npm run bench:soak -- [--minutes=30] [--rate=<orders/s>]` beside a running stack: orders at half of
 * the peak rate that `npm run bench` measured on this stack, and the resident memory of each process
 * every 10 seconds. Prints the maximum and the growth per hour, and writes bench-soak.json into the
 * stack's folder. Exits with 1 when the app is beyond its limits, and 0 otherwise: the sandbox, which
 * stands in for providers, keeps all that it was asked to do. Linux only.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from '../../local/stack/addresses.ts';
import { createHome, PART_NAMES, type PartName } from '../../local/stack/home.ts';
import { runningPart } from '../../local/stack/leftovers.ts';
import { UsageError, wholeNumber } from '../usage.ts';
import { familyOf, readProcesses } from './cost.ts';
import { kinds, openLoad, print, summary } from './load.ts';
import { benchShop, stockShop } from './shop.ts';

const MAX_MB = 400;
const MAX_MB_PER_HOUR = 2;
const SAMPLE_MS = 10_000;
/** Caches, pools and compiled code fill during the first third. */
const WARM_UP_SHARE = 1 / 3;
const HOUR_MS = 3_600_000;

const options = {
  minutes: { type: 'string', default: '30' },
  rate: { type: 'string' },
} as const;
const args = parseArgs({ options }).values;
const forMs = wholeNumber('--minutes', args.minutes, { least: 1 }) * 60_000;
const home = createHome(readStackConfig().HOLDFAST_HOME);
const perSecond = args.rate === undefined ? await halfOfPeak() : Number(args.rate);
const addresses = await loadAddresses(home);
await stockShop(addresses.api);
const shop = benchShop(addresses);

interface Sample {
  readonly atMs: number;
  /** Of the largest process of each part. */
  readonly residentMb: Readonly<Record<PartName, number>>;
}

const samples: Sample[] = [];
const startedMs = performance.now();
const sample = (): void => {
  samples.push({ atMs: performance.now() - startedMs, residentMb: readResident() });
};
sample();
const sampling = setInterval(sample, SAMPLE_MS);
const results = await openLoad({ url: shop.api, next: shop.order, perSecond, forMs });
clearInterval(sampling);

print('load', `${perSecond.toFixed(1)} orders/s for ${args.minutes} min; ${kinds(results)}`);
print('answers', summary(results));
const parts = Object.fromEntries(PART_NAMES.map((part) => [part, growthOf(part)]));
for (const [part, { maxMb, mbPerHour, standardError, isWithin }] of Object.entries(parts)) {
  const verdict = isWithin ? 'within' : 'beyond';
  print(
    part,
    `at most ${maxMb.toFixed(0)} MB, ${mbPerHour.toFixed(1)} MB/h (standard error ` +
      `${standardError.toFixed(1)}): ${verdict} ${MAX_MB} MB and ${MAX_MB_PER_HOUR} MB/h`,
  );
}
await writeFile(
  join(home.path, 'bench-soak.json'),
  JSON.stringify({ perSecond, parts, samples }, null, 2),
);
process.exitCode = parts['app']?.isWithin === true ? 0 : 1;

/** By the last run of `npm run bench`. */
async function halfOfPeak(): Promise<number> {
  const file = join(home.path, 'bench.json');
  if (!existsSync(file)) throw new UsageError('Run `npm run bench` first, or give --rate.');
  const schema = z.object({ '32 customers': z.object({ perSecond: z.number() }) });
  return schema.parse(JSON.parse(await readFile(file, 'utf8')))['32 customers'].perSecond / 2;
}

function readResident(): Sample['residentMb'] {
  const processes = readProcesses();
  const largest = (part: PartName): number =>
    Math.max(0, ...familyOf(runningPart(home, part), processes).map((each) => each.residentMb));
  return {
    postgres: largest('postgres'),
    temporal: largest('temporal'),
    sandbox: largest('sandbox'),
    app: largest('app'),
  };
}

function growthOf(part: PartName) {
  const points = samples.map(({ atMs, residentMb }) => ({
    x: atMs / HOUR_MS,
    y: residentMb[part],
  }));
  const maxMb = Math.max(...points.map(({ y }) => y));
  const { slope: mbPerHour, standardError } = leastSquares(
    points.slice(Math.floor(points.length * WARM_UP_SHARE)),
  );
  const isWithin = maxMb <= MAX_MB && mbPerHour < MAX_MB_PER_HOUR;
  return { maxMb, mbPerHour, standardError, isWithin };
}

/** The line through the points with the least squared distance: its slope, and how sure that is. */
function leastSquares(points: readonly { readonly x: number; readonly y: number }[]) {
  const mean = (of: (point: { x: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const spread = mean(({ x }) => (x - meanX) ** 2);
  const slope = mean(({ x, y }) => (x - meanX) * (y - meanY)) / spread;
  const rest = mean(({ x, y }) => (y - meanY - slope * (x - meanX)) ** 2);
  return { slope, standardError: Math.sqrt(rest / spread / (points.length - 2)) };
}
