/** The connection to Temporal, by the variables and the file of Temporal's own client configuration. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ConfigProblem, Values } from './values.ts';

export type TemporalSettings = ReturnType<typeof loadClientConnectConfig>;

const MAX_PORT = 65_535;
/** The SDK takes a missing file for an empty one. */
const NO_FILE = '/nonexistent/temporal.toml';

/** Address, TLS, credentials and namespace, or why they cannot be used. */
export function readTemporalSettings(values: Values): TemporalSettings | ConfigProblem {
  const overrideEnvVars = Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  try {
    const settings = loadClientConnectConfig({ overrideEnvVars });
    const { address } = settings.connectionOptions;
    return address === undefined || isAddress(address)
      ? settings
      : { variable: 'TEMPORAL_ADDRESS', problem: 'must be a host and a port, e.g. temporal:7233' };
  } catch (error) {
    // Further lines would quote the file, which may have an API key.
    const [reason = ''] = String(error).split('\n');
    return { variable: 'TEMPORAL_...', problem: `cannot be read: ${reason}` };
  }
}

/**
 * The environment without a setting of Temporal's client, for a process that uses a plain server of this
 * machine. The variables are emptied and not left out: the process would read missing ones from .env.
 */
export function withoutTemporal(env: Values): Values {
  const emptied = Object.keys(env).filter((name) => name.startsWith('TEMPORAL_'));
  return {
    ...env,
    ...Object.fromEntries(emptied.map((name) => [name, ''])),
    TEMPORAL_CONFIG_FILE: NO_FILE,
  };
}

function isAddress(address: string): boolean {
  const [, port = '7233'] = /^(?:[^:/\s[\]]+|\[[\da-f:.]+\])(?::(\d{1,5}))?$/i.exec(address) ?? [
    '',
    '0',
  ];
  return Number(port) >= 1 && Number(port) <= MAX_PORT;
}
