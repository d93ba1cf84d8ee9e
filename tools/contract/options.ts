/** The command line of the contract test. */
import { exec } from 'node:child_process';
import { parseArgs, promisify } from 'node:util';
import { z } from 'zod';
import { LOCAL_SECRETS } from '../../config/production.ts';
import { UsageError, usageChecked, wholeNumber } from '../usage.ts';

export const USAGE = `Usage: npm run contract -- --warehouse URL [options]
  --warehouse URL       the warehouse, e.g. http://127.0.0.1:4000 for the sandbox
  --key KEY             its API key (that of the local stack)
  --secret WHSEC        signs its callbacks (that of the local stack)
  --sku SKU             goods that it has (mug-white)
  --callback-url URL    where it reaches this program (the address of the receiver)
  --host HOST           address on which callbacks are received (127.0.0.1)
  --port PORT           port on which callbacks are received (any free one)
  --wait SECONDS        how long a callback may take (60)
  --restart COMMAND     kills and starts the warehouse, for the last check
Exit code: 0 all checks passed, 1 one failed, 2 the command line is wrong.`;

export interface ContractOptions {
  readonly warehouse: { readonly url: string; readonly apiKey: string };
  readonly callbackSecret: string;
  readonly sku: string;
  readonly callbackUrl: string | null;
  readonly host: string;
  readonly port: number;
  readonly callbackWithinMs: number;
  readonly restart: (() => Promise<void>) | null;
}

const text = { type: 'string' } as const;
const MAX_PORT = 65_535;

/** Throws UsageError. */
export function readOptions(args: readonly string[]): ContractOptions {
  const { values } = usageChecked(() =>
    parseArgs({
      args: [...args],
      options: {
        warehouse: text,
        key: { ...text, default: LOCAL_SECRETS.warehouseKey },
        secret: { ...text, default: LOCAL_SECRETS.warehouseCallback },
        sku: { ...text, default: 'mug-white' },
        'callback-url': text,
        host: { ...text, default: '127.0.0.1' },
        port: { ...text, default: '0' },
        wait: { ...text, default: '60' },
        restart: text,
      },
    }),
  );
  const { restart } = values;
  return {
    warehouse: { url: requireUrl('--warehouse', values.warehouse), apiKey: values.key },
    callbackSecret: values.secret,
    sku: values.sku,
    callbackUrl:
      values['callback-url'] === undefined
        ? null
        : requireUrl('--callback-url', values['callback-url']),
    host: values.host,
    port: wholeNumber('--port', values.port, { most: MAX_PORT }),
    callbackWithinMs: wholeNumber('--wait', values.wait, { least: 1 }) * 1_000,
    restart: restart === undefined ? null : async () => void (await promisify(exec)(restart)),
  };
}

function requireUrl(name: string, value: string | undefined): string {
  const parsed = z.url({ protocol: /^https?$/ }).safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UsageError(`${name} needs an http(s) URL.`);
}
