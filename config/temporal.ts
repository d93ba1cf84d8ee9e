/** The connection to Temporal, by the variables and the file of Temporal's own client configuration. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ConfigProblem, Values } from './values.ts';

export type TemporalSettings = ReturnType<typeof loadClientConnectConfig>;

const MAX_PORT = 65_535;

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

function isAddress(address: string): boolean {
  const [, port = '7233'] = /^(?:[^:/\s[\]]+|\[[\da-f:.]+\])(?::(\d{1,5}))?$/i.exec(address) ?? [
    '',
    '0',
  ];
  return Number(port) >= 1 && Number(port) <= MAX_PORT;
}
