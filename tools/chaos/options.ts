/** What a chaos run is told on its command line. */
import { parseArgs } from 'node:util';
import { SCENARIO_NAMES, SCENARIOS } from './scenarios.ts';
import type { ScenarioName } from './scenarios.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** At least so many orders are placed. */
  readonly orders: number;
  /** Arrivals a second, whatever the answers do. */
  readonly ratePerSecond: number;
  /** Each process is killed at least so often. */
  readonly kills: number;
  readonly only: ScenarioName;
  readonly short: boolean;
  /** The home with its logs stays where it is. */
  readonly keep: boolean;
}

export const USAGE = `Usage: npm run chaos -- [options]
  --seed N         of every random choice (1)
  --only NAME      one harm alone:
                   postgres  kills of PostgreSQL
                   temporal  two minutes without Temporal
                   app       kills of the app every 5 s, beside a webhook receiver that fails
  --orders N       orders at least (1000; short: 120; postgres: 400; temporal, app: 500)
  --rate N         arrivals a second (2; temporal: 4; postgres: 3)
  --kills N        kills per process at least (10; short, temporal: 1; postgres: 20; app: 40)
  --short          a minute and a quarter in all
  --keep           leave data and logs until the next run, and say where`;

/** An option that cannot work, said in one sentence. */
export class UsageError extends Error {}

const SHORT = { orders: 120, rate: 2, kills: 1 };
const MAX_ORDERS = 100_000;
const MAX_RATE = 500;
const MAX_KILLS = 1_000;
const MAX_SEED = 2 ** 31 - 1;

/** Reads the arguments. Null asks for help. Throws UsageError. */
export function readOptions(args: readonly string[]): ChaosOptions | null {
  const values = parse(args);
  if (values.help === true) return null;
  const short = values.short === true;
  const only = scenarioNamed(values.only);
  const defaults = short ? SHORT : SCENARIOS[only].defaults;
  const read = (name: 'orders' | 'rate' | 'kills', most: number): number =>
    numberIn(`--${name}`, values[name] ?? String(defaults[name]), { least: 1, most });
  return {
    seed: numberIn('--seed', values.seed ?? '1', { least: 0, most: MAX_SEED }),
    orders: read('orders', MAX_ORDERS),
    ratePerSecond: read('rate', MAX_RATE),
    kills: read('kills', MAX_KILLS),
    only,
    short,
    keep: values.keep === true,
  };
}

function scenarioNamed(given = 'everything'): ScenarioName {
  const found = SCENARIO_NAMES.find((name) => name === given);
  if (found !== undefined) return found;
  throw new UsageError(`--only knows ${SCENARIO_NAMES.join(', ')}, not ${given}.`);
}

/** The command that repeats the run. */
export function commandOf(options: ChaosOptions): string {
  const { seed, orders, ratePerSecond, kills, only, short } = options;
  const numbers = `--seed ${seed} --orders ${orders} --rate ${ratePerSecond} --kills ${kills}`;
  const flags = `${only === 'everything' ? '' : ` --only ${only}`}${short ? ' --short' : ''}`;
  return `npm run chaos -- ${numbers}${flags}`;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string' },
        orders: { type: 'string' },
        rate: { type: 'string' },
        kills: { type: 'string' },
        only: { type: 'string' },
        short: { type: 'boolean' },
        keep: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function numberIn(
  name: string,
  given: string,
  range: { readonly least: number; readonly most: number },
): number {
  const value = Number(given);
  if (Number.isSafeInteger(value) && value >= range.least && value <= range.most) return value;
  throw new UsageError(`${name} is a whole number from ${range.least} to ${range.most}.`);
}
