/** What a chaos run is told on its command line. */
import { parseArgs } from 'node:util';

export interface ChaosOptions {
  readonly seed: number;
  /** At least so many orders are placed. */
  readonly orders: number;
  /** Arrivals a second, whatever the answers do. */
  readonly ratePerSecond: number;
  /** Each process is killed at least so often. */
  readonly kills: number;
  /** `postgres`: nothing but kills of PostgreSQL. */
  readonly only: 'everything' | 'postgres';
  readonly short: boolean;
  /** The home with its logs stays where it is. */
  readonly keep: boolean;
}

export const USAGE = `Usage: npm run chaos -- [options]
  --seed N         of every random choice (1)
  --orders N       orders at least (1000; short: 120)
  --rate N         arrivals a second (3; short: 4)
  --kills N        kills per process at least (10; short: 1; only postgres: 20)
  --only postgres  kills of PostgreSQL and nothing else
  --short          about a minute and a half in all
  --keep           leave the data and logs, and say where`;

/** An option that cannot work, said in one sentence. */
export class UsageError extends Error {}

const MAX_ORDERS = 100_000;
const MAX_RATE = 500;
const MAX_KILLS = 1_000;
const MAX_SEED = 2 ** 31 - 1;

/** Reads the arguments. Null asks for help. Throws UsageError. */
export function readOptions(args: readonly string[]): ChaosOptions | null {
  const values = parse(args);
  if (values.help === true) return null;
  const short = values.short === true;
  if (values.only !== undefined && values.only !== 'postgres') {
    throw new UsageError(`--only knows postgres, not ${values.only}.`);
  }
  const onlyPostgres = values.only === 'postgres';
  return {
    seed: numberIn('--seed', values.seed ?? '1', { least: 0, most: MAX_SEED }),
    orders: numberIn('--orders', values.orders ?? (short ? '120' : '1000'), {
      least: 1,
      most: MAX_ORDERS,
    }),
    ratePerSecond: numberIn('--rate', values.rate ?? (short ? '4' : '3'), {
      least: 1,
      most: MAX_RATE,
    }),
    kills: numberIn('--kills', values.kills ?? (onlyPostgres ? '20' : short ? '1' : '10'), {
      least: 1,
      most: MAX_KILLS,
    }),
    only: onlyPostgres ? 'postgres' : 'everything',
    short,
    keep: values.keep === true,
  };
}

/** The command that repeats the run. */
export function commandOf(options: ChaosOptions): string {
  const { seed, orders, ratePerSecond, kills, only, short } = options;
  const numbers = `--seed ${seed} --orders ${orders} --rate ${ratePerSecond} --kills ${kills}`;
  const flags = `${only === 'postgres' ? ' --only postgres' : ''}${short ? ' --short' : ''}`;
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
