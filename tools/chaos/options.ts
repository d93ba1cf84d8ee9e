/** The command line of a chaos run. */
import { parseArgs } from 'node:util';
import { UsageError, usageChecked, wholeNumber } from '../usage.ts';
import { SCENARIO_NAMES, SCENARIOS, type ScenarioName } from './scenarios.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** At least this many orders are placed. */
  readonly orders: number;
  readonly ratePerSecond: number;
  /** Each process is killed at least so often. */
  readonly kills: number;
  readonly only: ScenarioName;
  readonly short: boolean;
  /** Data and logs stay where they are. */
  readonly keep: boolean;
}

export const USAGE = `Usage: npm run chaos -- [options]
  --seed N         of every random choice (1)
  --only NAME      one kind of fault alone:
                   postgres  kills of PostgreSQL
                   temporal  two minutes without Temporal
                   app       kills of the app every 5 s, beside a webhook receiver that fails
  --orders N       orders at least (1000; short: 120; postgres: 400; temporal, app: 500)
  --rate N         orders per second (2; temporal: 4; postgres: 3)
  --kills N        kills per process at least (10; short, temporal: 1; postgres: 20; app: 40)
  --short          a minute and a quarter in all
  --keep           leave data and logs until the next run, and print where they are`;

const SHORT = { orders: 120, rate: 2, kills: 1 };
const MAX_SEED = 2 ** 31 - 1;

/** Reads the arguments. Null asks for help. Throws UsageError. */
export function readOptions(args: readonly string[]): ChaosOptions | null {
  const { values } = usageChecked(() =>
    parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string', default: '1' },
        orders: { type: 'string' },
        rate: { type: 'string' },
        kills: { type: 'string' },
        only: { type: 'string', default: 'everything' },
        short: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean' },
      },
    }),
  );
  if (values.help === true) return null;
  const { short, keep } = values;
  const only = SCENARIO_NAMES.find((name) => name === values.only);
  if (only === undefined) {
    throw new UsageError(`--only knows ${SCENARIO_NAMES.join(', ')}, not ${values.only}.`);
  }
  const defaults = short ? SHORT : SCENARIOS[only].defaults;
  const read = (name: 'orders' | 'rate' | 'kills', most: number): number =>
    wholeNumber(`--${name}`, values[name] ?? String(defaults[name]), { least: 1, most });
  return {
    seed: wholeNumber('--seed', values.seed, { most: MAX_SEED }),
    orders: read('orders', 100_000),
    ratePerSecond: read('rate', 500),
    kills: read('kills', 1_000),
    only,
    short,
    keep,
  };
}

/** The command that repeats the run. */
export function commandOf(options: ChaosOptions): string {
  const { seed, orders, ratePerSecond, kills, only, short } = options;
  const numbers = `--seed ${seed} --orders ${orders} --rate ${ratePerSecond} --kills ${kills}`;
  const flags = `${only === 'everything' ? '' : ` --only ${only}`}${short ? ' --short' : ''}`;
  return `npm run chaos -- ${numbers}${flags}`;
}
