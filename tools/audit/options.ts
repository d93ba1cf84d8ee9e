/** The options of `npm run audit`, and where the servers are: the environment, else the stack. */
import { parseArgs } from 'node:util';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { readTemporalConfig, type StackConfig } from '../../config.ts';
import { loadAddresses, type Addresses } from '../../local/stack/addresses.ts';
import { createHome } from '../../local/stack/home.ts';
import { UsageError, usageChecked, wholeNumber } from '../usage.ts';

export const USAGE = `Usage: npm run audit -- [options]
  --json               print the results as JSON (npm run --silent audit -- --json)
  --acked FILE         order ids a client got a 201 for, one per line: each must exist
  --sandbox URL        compare with the ledgers of this sandbox (default: the stack's own)
  --sample N           workflows of each kind searched for personal data (20)
  --grace SECONDS      how long eventual effects may take (60)
  --timeout SECONDS    time limit for all checks together (120)
Exit code: 0 all invariants hold, 1 one is violated, 2 one could not be checked.`;

export interface AuditOptions {
  readonly json: boolean;
  readonly acked: string | undefined;
  readonly sandbox: string | undefined;
  readonly sample: number;
  readonly graceMs: number;
  readonly timeoutMs: number;
}

/** Reads the command line. Throws UsageError. */
export function readOptions(args: readonly string[]): AuditOptions {
  const { values } = usageChecked(() =>
    parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean', default: false },
        acked: { type: 'string' },
        sandbox: { type: 'string' },
        sample: { type: 'string', default: '20' },
        grace: { type: 'string', default: '60' },
        timeout: { type: 'string', default: '120' },
      },
    }),
  );
  return {
    json: values.json,
    acked: values.acked,
    sandbox: values.sandbox,
    sample: wholeNumber('--sample', values.sample),
    graceMs: wholeNumber('--grace', values.grace) * 1_000,
    timeoutMs: wholeNumber('--timeout', values.timeout) * 1_000,
  };
}

export interface Places {
  readonly databaseUrl: string;
  /** Null: a database was given without a Temporal. */
  readonly temporal: {
    readonly connection: NativeConnectionOptions;
    readonly namespace: string;
  } | null;
  readonly sandboxUrl: string | null;
}

/**
 * With DATABASE_URL everything comes from the environment and the flags; without it, from the local
 * stack. Throws UsageError when there is neither.
 */
export async function findPlaces(
  config: StackConfig,
  options: Partial<Pick<AuditOptions, 'sandbox'>> = {},
): Promise<Places> {
  const stack = config.DATABASE_URL === undefined ? await stackOf(config) : null;
  const databaseUrl = config.DATABASE_URL ?? stack?.databaseUrl;
  if (databaseUrl === undefined) {
    throw new UsageError(
      `No stack was started in ${config.HOLDFAST_HOME}. Run npm start, or set DATABASE_URL.`,
    );
  }
  return {
    databaseUrl,
    temporal: temporalOf(config, stack),
    sandboxUrl: options.sandbox ?? stack?.sandbox ?? null,
  };
}

/** Address and credentials by Temporal's own variables, where an address is given. */
function temporalOf(config: StackConfig, stack: Addresses | null): Places['temporal'] {
  if (config.TEMPORAL_ADDRESS !== undefined) {
    const { connectionOptions, namespace = config.TEMPORAL_NAMESPACE } = readTemporalConfig();
    return { connection: connectionOptions, namespace };
  }
  if (stack === null) return null;
  return { connection: { address: stack.temporal }, namespace: stack.temporalNamespace };
}

async function stackOf({ HOLDFAST_HOME }: StackConfig): Promise<Addresses | null> {
  try {
    return await loadAddresses(createHome(HOLDFAST_HOME));
  } catch {
    // stack.json is missing or cannot be read.
    return null;
  }
}
